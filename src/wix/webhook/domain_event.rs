//! Domain events: the newer shape of what a webhook says, which names an entity.

use std::{fmt, time::SystemTime};

use serde_json::{Map, Value};

/// A domain event: something was done with an entity, such as an order or a contact.
#[derive(Clone, PartialEq)]
pub struct DomainEvent {
    fields: Map<String, Value>,
    body: DomainEventBody,
}

/// What was done with the entity of a [`DomainEvent`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DomainEventBody {
    /// `createdEvent`, with its `entity`.
    Created(Value),
    /// `updatedEvent`, with its `currentEntity`.
    Updated(Value),
    /// `deletedEvent`, with its `deletedEntity`, which is often absent: then, `Null`.
    Deleted(Value),
    /// `actionEvent`, with its `body`.
    Action(Value),
    /// None of these, or several. See [`DomainEvent::field`].
    Other,
}

/// The name of a body, the name of the value in it, and what both make.
struct Shape(&'static str, &'static str, fn(Value) -> DomainEventBody);

impl DomainEventBody {
    const SHAPES: [Shape; 4] = [
        Shape("createdEvent", "entity", Self::Created),
        Shape("updatedEvent", "currentEntity", Self::Updated),
        Shape("deletedEvent", "deletedEntity", Self::Deleted),
        Shape("actionEvent", "body", Self::Action),
    ];

    fn read(fields: &Map<String, Value>) -> Self {
        let mut present = Self::SHAPES.into_iter().filter_map(|shape| {
            let body = fields.get(shape.0).filter(|body| !body.is_null())?;
            Some((shape, body))
        });
        let (Some((Shape(_, name, shape), body)), None) = (present.next(), present.next()) else {
            return Self::Other;
        };
        let value = match &body[name] {
            // Older events have a JSON text instead. What is not JSON stays a text.
            Value::Null => match &body[format!("{name}AsJson")] {
                Value::String(json) => serde_json::from_str(json).unwrap_or(json.as_str().into()),
                other => other.clone(),
            },
            value => value.clone(),
        };
        shape(value)
    }
}

impl DomainEvent {
    /// Reads the JSON text of a webhook. `None` for an event of another shape.
    ///
    /// An older event may have an `id` that is not that of the event.
    pub(super) fn read(json: &str) -> Option<Self> {
        let fields: Map<String, Value> = serde_json::from_str(json).ok()?;
        let has = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
        let is_domain_event = text(&fields, "id").is_some()
            && (text(&fields, "entityFqdn").is_some()
                || DomainEventBody::SHAPES.iter().any(|shape| has(shape.0)));
        is_domain_event.then(|| Self {
            body: DomainEventBody::read(&fields),
            fields,
        })
    }

    /// `id`: the same one each time that Wix sends the event. Never empty.
    #[must_use]
    pub fn id(&self) -> &str {
        text(&self.fields, "id").unwrap_or_default()
    }

    /// `entityFqdn`: the type of the entity, such as `wix.ecom.v1.order`.
    #[must_use]
    pub fn entity_fqdn(&self) -> Option<&str> {
        text(&self.fields, "entityFqdn")
    }

    /// `slug`: what was done, such as `created`.
    #[must_use]
    pub fn slug(&self) -> Option<&str> {
        text(&self.fields, "slug")
    }

    /// `entityId`: the id of the entity.
    #[must_use]
    pub fn entity_id(&self) -> Option<&str> {
        text(&self.fields, "entityId")
    }

    /// `eventTime`: when it was done. `None` if it is absent, or not RFC 3339.
    ///
    /// Events may come late, and in another order.
    #[must_use]
    pub fn event_time(&self) -> Option<SystemTime> {
        let time: jiff::Timestamp = text(&self.fields, "eventTime")?.parse().ok()?;
        SystemTime::try_from(time).ok()
    }

    /// What was done with the entity.
    #[must_use]
    pub fn body(&self) -> &DomainEventBody {
        &self.body
    }

    /// Any field by its name, such as `entityEventSequence`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }
}

impl fmt::Debug for DomainEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The entity may be somebody's address.
        f.debug_struct("DomainEvent")
            .field("id", &self.id())
            .field("entity_fqdn", &self.entity_fqdn())
            .field("slug", &self.slug())
            .field("entity_id", &self.entity_id())
            .finish_non_exhaustive()
    }
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name)?.as_str().filter(|text| !text.is_empty())
}
