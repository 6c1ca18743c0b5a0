//! What a verified webhook says.

use hmac_auth::wix::{AppEvent, DomainEventBody, WebhookEvent, WebhookIdentity as Identity};
use serde_json::{Value, json};

use crate::support::webhook::{NOW, at, envelope, vector, verify, webhook};

fn event(envelope: &Value) -> WebhookEvent {
    verify(webhook(envelope)).unwrap()
}

fn with_data(data: &Value) -> WebhookEvent {
    event(&envelope(
        "wix.contacts.v4.contact_created",
        &data.to_string(),
    ))
}

#[test]
fn a_domain_event_is_read_through_three_levels_of_json() {
    let event = verify(vector("domain event").0).unwrap();
    assert_eq!(event.event_type(), "wix.ecom.v1.order_created");
    assert_eq!(
        event.instance_id(),
        Some("130db01f-83b1-17c8-1803-c27217800b45")
    );
    assert_eq!(event.identity(), Some(&Identity::Member("m-1".into())));
    assert_eq!(event.issued_at(), at(NOW - 1));
    assert_eq!(event.expires_at(), at(NOW + 3600));
    assert_eq!(event.app_event(), None);
    let domain_event = event.domain_event().unwrap();
    assert_eq!(domain_event.id(), "a8a1cc5c-0f3c-4bb1-8e1f-6d0bd8b0ac9d");
    assert_eq!(event.id(), domain_event.id());
    assert_eq!(domain_event.entity_fqdn(), Some("wix.ecom.v1.order"));
    assert_eq!(domain_event.slug(), Some("created"));
    assert_eq!(domain_event.entity_id(), Some("o-1"));
    let time = at(NOW - 1) + std::time::Duration::from_millis(500);
    assert_eq!(domain_event.event_time(), Some(time));
    assert_eq!(domain_event.field("entityEventSequence"), Some(&json!("7")));
    let entity = json!({"number": "10001", "buyer": "Zoë"});
    assert_eq!(*domain_event.body(), DomainEventBody::Created(entity));
}

#[test]
fn each_body_of_a_domain_event_is_read() {
    let entity = json!({"name": "x"});
    let text = entity.to_string();
    let created = DomainEventBody::Created(entity.clone());
    let updated = DomainEventBody::Updated(entity.clone());
    let deleted = DomainEventBody::Deleted(entity.clone());
    let action = DomainEventBody::Action(entity.clone());
    for (name, body, expected) in [
        ("createdEvent", json!({"entity": entity}), created.clone()),
        ("createdEvent", json!({"entityAsJson": text}), created),
        (
            "updatedEvent",
            json!({"currentEntity": entity}),
            updated.clone(),
        ),
        (
            "updatedEvent",
            json!({"currentEntityAsJson": text}),
            updated,
        ),
        (
            "deletedEvent",
            json!({}),
            DomainEventBody::Deleted(Value::Null),
        ),
        ("deletedEvent", json!({"deletedEntity": entity}), deleted),
        ("actionEvent", json!({"body": entity}), action.clone()),
        ("actionEvent", json!({"bodyAsJson": text}), action),
        (
            "actionEvent",
            json!({"bodyAsJson": "not JSON"}),
            DomainEventBody::Action("not JSON".into()),
        ),
        ("renamedEvent", json!({}), DomainEventBody::Other),
        ("createdEvent", Value::Null, DomainEventBody::Other),
    ] {
        let data = json!({"id": "e-1", "entityFqdn": "wix.a", name: body});
        let event = with_data(&data);
        assert_eq!(*event.domain_event().unwrap().body(), expected, "{data}");
    }
    let both = json!({"id": "e-1", "createdEvent": {"entity": 1}, "deletedEvent": {}});
    let event = with_data(&both);
    assert_eq!(
        *event.domain_event().unwrap().body(),
        DomainEventBody::Other
    );
}

#[test]
fn odd_fields_of_a_domain_event_are_absent() {
    let event = with_data(&json!({
        "id": "e-1", "entityFqdn": "wix.a", "slug": 7, "entityId": "", "eventTime": "yesterday",
    }));
    let domain_event = event.domain_event().unwrap();
    assert_eq!(domain_event.slug(), None);
    assert_eq!(domain_event.entity_id(), None);
    assert_eq!(domain_event.event_time(), None);
    assert_eq!(domain_event.field("slug"), Some(&json!(7)));
}

/// An older event may have the id of a contact, and many events have the same contact.
#[test]
fn other_events_are_kept_as_they_are() {
    for data in [
        r#"{"id":"c-1","name":"x"}"#,
        r#"{"id":"","entityFqdn":"wix.a"}"#,
        r#"{"id":7,"createdEvent":{}}"#,
        r#"["x"]"#,
        "plain text",
        "",
        "{\"a\": 1.000,\n \"a\": 2}",
    ] {
        let event = event(&envelope("contacts/create", data));
        assert_eq!(event.domain_event(), None, "{data}");
        assert_eq!(event.app_event(), None);
        assert_eq!(event.data(), data);
        assert_eq!(event.data_json(), serde_json::from_str(data).ok());
    }
}

#[test]
fn an_event_needs_nothing_but_its_type() {
    let event = event(&json!({"eventType": "SitePropertiesUpdated"}));
    assert_eq!(event.instance_id(), None);
    assert_eq!(event.identity(), None);
    assert_eq!(event.data(), "");
    let same = verify(webhook(&json!({
        "eventType": "SitePropertiesUpdated", "instanceId": "", "data": null, "identity": null,
        "new": {"field": true},
    })))
    .unwrap();
    assert_eq!(same.id(), event.id());
    assert_eq!(same.instance_id(), None);
    let object = verify(webhook(&json!({"eventType": "A", "data": {"id": "1"}}))).unwrap();
    assert_eq!(object.data(), r#"{"id":"1"}"#);
}

#[test]
fn the_life_of_an_installation_is_typed() {
    let installed = verify(vector("app installed").0).unwrap();
    assert_eq!(installed.app_event(), Some(AppEvent::Installed));
    assert_eq!(installed.data_json().unwrap()["originInstanceId"], "i-0");
    let user = Identity::WixUser("u-1".into());
    assert_eq!(installed.identity(), Some(&user));
    let removed = verify(vector("app removed").0).unwrap();
    assert_eq!(removed.app_event(), Some(AppEvent::Removed));
    for (event_type, expected) in [
        ("PaidPlanPurchased", Some(AppEvent::PlanPurchased)),
        ("PaidPlanChanged", Some(AppEvent::PlanChanged)),
        ("PaidPlanTransferred", Some(AppEvent::PlanTransferred)),
        ("PlanTransferred", Some(AppEvent::PlanTransferred)),
        ("PaidPlanReactivated", Some(AppEvent::PlanReactivated)),
        ("PlanReactivated", Some(AppEvent::PlanReactivated)),
        (
            "PaidPlanConvertedToPaid",
            Some(AppEvent::PlanConvertedToPaid),
        ),
        ("PlanConvertedToPaid", Some(AppEvent::PlanConvertedToPaid)),
        (
            "PaidPlanAutoRenewalCancelled",
            Some(AppEvent::AutoRenewalCancelled),
        ),
        (
            "SitePropertiesUpdated",
            Some(AppEvent::SitePropertiesUpdated),
        ),
        ("appinstalled", None),
        ("AppInstalled2", None),
    ] {
        assert_eq!(event(&envelope(event_type, "{}")).app_event(), expected);
    }
}

#[test]
fn the_subject_is_typed_or_kept() {
    let unknown = |json: &str| Some(Identity::Unknown(json.into()));
    for (identity, expected) in [
        (
            r#"{"identityType":"ANONYMOUS_VISITOR","anonymousVisitorId":"v"}"#,
            Some(Identity::AnonymousVisitor("v".into())),
        ),
        (
            r#"{"identityType":"MEMBER","memberId":"m"}"#,
            Some(Identity::Member("m".into())),
        ),
        (
            r#"{"identityType":"WIX_USER","wixUserId":"u","memberId":"m"}"#,
            Some(Identity::WixUser("u".into())),
        ),
        (
            r#"{"identityType":"APP","appId":"a"}"#,
            Some(Identity::App("a".into())),
        ),
        (
            r#"{"identityType":"ROBOT","robotId":"r"}"#,
            unknown(r#"{"identityType":"ROBOT","robotId":"r"}"#),
        ),
        // A type without its id says nobody.
        (
            r#"{"identityType":"MEMBER","appId":"a"}"#,
            unknown(r#"{"identityType":"MEMBER","appId":"a"}"#),
        ),
        (
            r#"{"identityType":"MEMBER","memberId":""}"#,
            unknown(r#"{"identityType":"MEMBER","memberId":""}"#),
        ),
        (r#"{"memberId":"m"}"#, unknown(r#"{"memberId":"m"}"#)),
        ("{}", unknown("{}")),
        ("not JSON", unknown("not JSON")),
        ("", None),
        ("null", None),
    ] {
        let mut changed = envelope("AppInstalled", "{}");
        changed["identity"] = json!(identity);
        let event = event(&changed);
        assert_eq!(event.identity(), expected.as_ref(), "{identity}");
    }
    let mut changed = envelope("AppInstalled", "{}");
    changed["identity"] = json!({"identityType": "APP", "appId": "a"});
    let event = event(&changed);
    assert_eq!(event.identity(), Some(&Identity::App("a".into())));
    assert_eq!(event.identity().unwrap().id(), Some("a"));
    assert_eq!(Identity::Unknown("{}".into()).id(), None);
}

/// The id of an event without its own is a hash: all three texts count, and their borders.
#[test]
fn the_id_of_an_event_is_its_own_or_a_hash() {
    let id = |event_type: &str, instance_id: &str, data: &str| {
        let envelope = json!({"eventType": event_type, "instanceId": instance_id, "data": data});
        event(&envelope).id().to_owned()
    };
    let first = id("A", "i", "{}");
    assert_eq!(first.len(), 64);
    assert_eq!(first, id("A", "i", "{}"));
    for other in [
        id("B", "i", "{}"),
        id("A", "j", "{}"),
        id("A", "i", "{} "),
        id("Ai", "", "{}"),
        id("A", "", "i{}"),
    ] {
        assert_ne!(first, other);
    }
}

#[test]
fn no_debug_shows_what_the_event_is_about() {
    let data =
        json!({"id": "e-1", "entityFqdn": "f", "createdEvent": {"entity": {"a": "private"}}});
    let event = with_data(&data);
    let text = format!("{event:?} {:?}", event.domain_event().unwrap());
    assert!(text.contains("e-1") && !text.contains("private"), "{text}");
}
