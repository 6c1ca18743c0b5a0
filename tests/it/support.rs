//! What the tests share: hosts, requests, generators and stand-ins.

pub(crate) mod capture;
pub(crate) mod cases;
pub(crate) mod clock;
pub(crate) mod dictionary;
pub(crate) mod edit;
pub(crate) mod example;
pub(crate) mod field;
pub(crate) mod httpsig;
pub(crate) mod implements;
pub(crate) mod instance;
pub(crate) mod layers;
pub(crate) mod message;
pub(crate) mod node;
pub(crate) mod oauth;
pub(crate) mod random;
pub(crate) mod receiver;
pub(crate) mod recorder;
pub(crate) mod refusals;
pub(crate) mod request;
pub(crate) mod secret;
pub(crate) mod server;
pub(crate) mod shapes;
pub(crate) mod store;
pub(crate) mod token;
pub(crate) mod vectors;
pub(crate) mod wire;
