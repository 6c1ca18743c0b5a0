//! The HTTP answer of a refusal, and an error as the operator reads it.

pub(crate) use crate::error::{refusal_response, write_error};
