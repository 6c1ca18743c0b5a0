//! How often the heap is asked for memory for an app instance of Wix: once, for the text that it keeps.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    time::{Duration, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac_auth::{
    Secret, SecretSet,
    wix::{AppInstance, AppInstanceErrorKind, AppInstanceOptions},
};
use serde_json::Value;

/// Counts what the current thread asks for; growing a block counts like a new one.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is left to `System`; the counter neither allocates nor has a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The allocations of `work`, and what it gives.
fn counted<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = COUNT.get();
    let result = work();
    (COUNT.get() - before, result)
}

#[test]
fn reading_allocates_the_kept_text_and_refusing_before_it_nothing() {
    let samples: Vec<Value> = serde_json::from_str(include_str!("data/wix-app-instances.json")).unwrap();
    assert_eq!(samples.len(), 11);
    // When the youngest had not expired yet: 2021-12-27T12:00:00Z.
    let options = AppInstanceOptions::new().max_age(Duration::MAX).at(UNIX_EPOCH + Duration::from_secs(1_640_606_400));
    for sample in samples {
        let of = |name: &str| sample[name].as_str().unwrap().to_owned();
        let (name, mut text) = (of("name"), of("instance"));
        let secret = Secret::from_text(&of("secret")).unwrap_or_else(|_| {
            // One of them has a secret that is too short: its payload is signed anew.
            let secret = Secret::from_text(&"x".repeat(16)).unwrap();
            let payload = text.split_once('.').unwrap().1;
            text = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(secret.mac(payload.as_bytes())));
            secret
        });
        let secrets = SecretSet::new(secret);
        let (count, outcome) = counted(|| AppInstance::parse(&text, &secrets, &options));
        if sample["verifies"] == true {
            outcome.unwrap();
            assert_eq!(count, 1, "{name}");
        } else {
            assert_eq!(outcome.unwrap_err().kind(), AppInstanceErrorKind::WrongMac, "{name}");
            assert_eq!(count, 0, "{name}");
        }
    }
}
