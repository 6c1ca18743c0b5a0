//! The rotation of secrets, for each order in which threads can take their steps.

use hmac_auth::{
    DEFAULT_SECRET_NAME as NAME, MemorySecrets, SecretError, SecretSet, SecretStore,
    ValidateOptions, validate_auth,
};
use loom::{model, sync::Arc, thread};
use threads::{START, secret, signed, time};

/// The number of each secret of the set, by its fingerprint.
fn read(secrets: &MemorySecrets) -> Result<Vec<usize>, SecretError> {
    let set = secrets.lookup(NAME)?;
    let number = |fingerprint| {
        ["1", "2", "3"]
            .iter()
            .position(|text| secret(text).fingerprint() == fingerprint)
            .expect("one of ours")
            + 1
    };
    Ok(set.fingerprints().map(number).collect())
}

/// What a reader sees before and while another thread changes the secrets, and what is there at
/// the end.
fn seen_during(
    change: impl FnOnce(&MemorySecrets) + Send + 'static,
) -> [Result<Vec<usize>, SecretError>; 3] {
    let secrets = Arc::new(MemorySecrets::new());
    secrets.insert(NAME, secret("1"));
    let writer = {
        let secrets = Arc::clone(&secrets);
        thread::spawn(move || change(&secrets))
    };
    let [first, second] = [read(&secrets), read(&secrets)];
    writer.join().expect("no panic");
    [first, second, read(&secrets)]
}

#[test]
fn a_reader_sees_the_old_set_or_the_new_one() {
    model(|| {
        let rotate = |secrets: &MemorySecrets| {
            secrets.rotate(NAME, secret("2")).expect("a set to rotate");
        };
        let [first, second, last] = seen_during(rotate).map(|set| set.expect("a set"));
        let (old, new) = (vec![1], vec![2, 1]);
        assert!([&old, &new].contains(&&first));
        // Never back.
        assert!(second == new || (second == old && first == old));
        assert_eq!(last, new);
    });
}

#[test]
fn a_set_is_replaced_as_a_whole() {
    model(|| {
        let replace = |secrets: &MemorySecrets| {
            let set = SecretSet::with_previous(secret("3"), [secret("2")]);
            secrets.insert_set(NAME, set.expect("two secrets"));
        };
        for set in seen_during(replace) {
            assert!([vec![1], vec![3, 2]].contains(&set.expect("a set")));
        }
    });
}

#[test]
fn a_revoked_secret_does_not_come_back() {
    model(|| {
        let [first, second, last] = seen_during(|secrets| assert!(secrets.revoke(NAME)));
        let is_revoked = |set: &Result<_, _>| matches!(set, Err(SecretError::Revoked { .. }));
        assert!(first.is_ok() || is_revoked(&second));
        assert!(is_revoked(&last));
    });
}

#[test]
fn two_rotations_at_once_keep_both() {
    model(|| {
        let secrets = Arc::new(MemorySecrets::new());
        secrets.insert(NAME, secret("1"));
        let other = {
            let secrets = Arc::clone(&secrets);
            thread::spawn(move || secrets.rotate(NAME, secret("2")).expect("a set to rotate"))
        };
        secrets.rotate(NAME, secret("3")).expect("a set to rotate");
        other.join().expect("no panic");
        let last = read(&secrets).expect("a set");
        assert!([vec![2, 3, 1], vec![3, 2, 1]].contains(&last), "{last:?}");
    });
}

/// The request of a consumer that has only the old secret yet is accepted before, during and after
/// the rotation.
#[test]
fn no_request_is_refused_because_of_a_rotation() {
    let request = signed(secret("1"), START);
    model(move || {
        let secrets = Arc::new(MemorySecrets::new());
        secrets.insert(NAME, secret("1"));
        let writer = {
            let secrets = Arc::clone(&secrets);
            thread::spawn(move || secrets.rotate(NAME, secret("2")).expect("a set to rotate"))
        };
        let options = ValidateOptions::new().at(time(START));
        let validated = validate_auth(&request, &*secrets, &options);
        validated.expect("the old secret is still accepted");
        writer.join().expect("no panic");
    });
}
