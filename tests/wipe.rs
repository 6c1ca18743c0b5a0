//! Key states, app secrets and tokens are wiped when the last handle is dropped: every freed block of
//! memory is searched for them.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    hint::black_box,
    mem::ManuallyDrop,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret, SecretSet, SecretStore, SignOptions,
    ValidateOptions, sign_request, validate_auth,
    wix::{AccessToken, AppCredentials, InstanceId, access_token_request},
};

const KEY: [u8; 32] = *b"the key that must not stay there";

/// An app secret, and a token.
const TEXT: &str = "the-text-that-must-not-stay-here";

/// The inner and the outer state of HMAC-SHA256 under `KEY`, as good as the key itself, and `TEXT`.
/// Zero until they are known.
static STATES: [[AtomicU64; 4]; 3] = [const { [const { AtomicU64::new(0) }; 4] }; 3];
static FOUND: AtomicUsize = AtomicUsize::new(0);

struct Searching;

#[global_allocator]
static ALLOCATOR: Searching = Searching;

// SAFETY: all memory comes from `System`; a block is read while it is still allocated.
unsafe impl GlobalAlloc for Searching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that no block starts with what an earlier one left.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
        for state in STATES
            .each_ref()
            .map(|state| state.each_ref().map(|word| word.load(Ordering::Relaxed)))
        {
            let is_state = |window: &[u8]| {
                window
                    .chunks(8)
                    .zip(state)
                    .all(|(bytes, word)| bytes == word.to_ne_bytes())
            };
            if state[0] != 0 && bytes.windows(32).any(is_state) {
                FOUND.fetch_add(1, Ordering::Relaxed);
            }
        }
        unsafe { System.dealloc(block, layout) }
    }
}

/// How many key states were freed unwiped while `work` ran.
fn found(work: impl FnOnce()) -> usize {
    let before = FOUND.load(Ordering::SeqCst);
    work();
    FOUND.load(Ordering::SeqCst) - before
}

fn search_for(state: &[AtomicU64; 4], bytes: &[u8]) {
    for (word, bytes) in state.iter().zip(bytes.chunks_exact(8)) {
        word.store(
            u64::from_ne_bytes(bytes.try_into().unwrap()),
            Ordering::SeqCst,
        );
    }
}

/// What the engine keeps of a key, freed without running its destructor.
#[cfg(not(any(feature = "fips", feature = "aws-lc-rs")))]
fn free_unwiped() {
    use hmac::KeyInit;
    drop(black_box(Box::new(ManuallyDrop::new(
        hmac::Hmac::<sha2::Sha256>::new_from_slice(&KEY).unwrap(),
    ))));
}

#[cfg(any(feature = "fips", feature = "aws-lc-rs"))]
fn free_unwiped() {
    use aws_lc_rs::hmac::{HMAC_SHA256, Key};
    drop(black_box(Box::new(ManuallyDrop::new(Key::new(
        HMAC_SHA256,
        &KEY,
    )))));
}

#[test]
fn secrets_do_not_survive_in_freed_memory() {
    for (state, pad) in STATES.iter().zip([0x36, 0x5c]) {
        let mut block = [pad; 64];
        block
            .iter_mut()
            .zip(KEY)
            .for_each(|(byte, key)| *byte ^= key);
        let mut words = [
            0x6a09_e667_u32,
            0xbb67_ae85,
            0x3c6e_f372,
            0xa54f_f53a,
            0x510e_527f,
            0x9b05_688c,
            0x1f83_d9ab,
            0x5be0_cd19,
        ];
        sha2::block_api::compress256(&mut words, &[block]);
        search_for(state, &words.map(u32::to_ne_bytes).concat());
    }
    search_for(&STATES[2], TEXT.as_bytes());
    // The search finds what is not wiped; if not, the rest would prove nothing.
    assert_eq!(found(free_unwiped), 2);
    assert_eq!(found(|| drop(black_box(TEXT.to_owned()))), 1);

    let leaked = found(|| {
        let secret = Secret::from_bytes(&KEY).unwrap();
        let secrets = MemorySecrets::new();
        secrets.insert(DEFAULT_SECRET_NAME, secret.clone());
        secrets.insert_set(
            "set",
            SecretSet::with_previous(secret.clone(), [secret]).unwrap(),
        );
        let mut request = http::Request::post("https://host.example/")
            .body("body")
            .unwrap();
        sign_request(&mut request, &secrets, &SignOptions::new()).unwrap();
        validate_auth(&request, &secrets, &ValidateOptions::new()).unwrap();
        black_box(secrets.lookup("set").unwrap());
    });
    assert_eq!(leaked, 0);

    // What the caller has, a request and a response, is the caller's.
    let response =
        http::Response::new(format!(r#"{{"access_token":"{TEXT}","expires_in":14400}}"#));
    let malformed = http::Response::new(format!(r#"{{"access_token":"{TEXT}","expires_in":0}}"#));
    let mut request = None;
    let leaked = found(|| {
        let credentials = AppCredentials::new("app", TEXT).unwrap();
        request = Some(access_token_request(
            &credentials,
            &InstanceId::new("i1").unwrap(),
        ));
        black_box(AppCredentials::new("", TEXT).unwrap_err());
        black_box(AccessToken::from_response(&response, std::time::SystemTime::now()).unwrap());
        black_box(
            AccessToken::from_response(&malformed, std::time::SystemTime::now()).unwrap_err(),
        );
    });
    assert_eq!(leaked, 0);
    assert_eq!(found(|| drop(black_box(request))), 1);
}
