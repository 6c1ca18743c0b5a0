//! Explanations for the operator: they agree with `validate_auth`, name the mistake, and show no
//! secret.

mod agreement;
mod bodies;
mod difference;
mod hidden;
mod mistakes;
mod rules;
