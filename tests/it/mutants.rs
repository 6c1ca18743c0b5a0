//! The tests of the core, of app instances, and of what the layers report of both, with the few
//! dependencies that they need: `.ci/mutants` compiles them once for each mutant.

#![allow(dead_code, reason = "other tests use the rest of these helpers")]

mod core;

#[allow(
    unreachable_pub,
    reason = "its files belong to the library of `fuzz` too"
)]
mod fuzz {
    pub(crate) mod field;
    pub(crate) mod signature_input;
}

mod support {
    pub(crate) mod capture;
    pub(crate) mod cases;
    pub(crate) mod clock;
    pub(crate) mod counted;
    pub(crate) mod dictionary;
    pub(crate) mod directory;
    pub(crate) mod edit;
    pub(crate) mod exchange;
    pub(crate) mod field;
    pub(crate) mod httpsig;
    pub(crate) mod implements;
    pub(crate) mod instance;
    pub(crate) mod layers;
    pub(crate) mod message;
    pub(crate) mod random;
    pub(crate) mod recorder;
    pub(crate) mod refusals;
    pub(crate) mod request;
    pub(crate) mod secret;
    pub(crate) mod shapes;
    pub(crate) mod skewed_host;
    pub(crate) mod store;
    pub(crate) mod token;
    pub(crate) mod vectors;
    pub(crate) mod wire;
}

mod tower {
    mod body;
    mod clock;
    mod directory;
    mod events;
    mod exchange;
    mod guard;
    mod observe;
    mod refusal;
    mod trace;
    mod upgrade;
    mod metrics {
        mod consumers;
        mod directory;
        mod guard;
        mod requests;
    }
}

mod wix {
    mod app_instance;
    mod tokens;
}
