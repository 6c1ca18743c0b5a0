//! What the fuzz targets do with their bytes, each in a plain function `run`, which panics if it
//! finds something. The tests of the crate have the same files: they run them over `fuzz/corpus` and
//! `fuzz/found`.

#[path = "../../tests/it/fuzz/app_instance.rs"]
pub mod app_instance;
#[path = "../../tests/it/fuzz/choices.rs"]
pub mod choices;
#[path = "../../tests/it/fuzz/content_digest.rs"]
pub mod content_digest;
#[path = "../../tests/it/fuzz/field.rs"]
pub mod field;
#[path = "../../tests/it/fuzz/host.rs"]
pub mod host;
#[path = "../../tests/it/fuzz/json.rs"]
pub mod json;
#[path = "../../tests/it/fuzz/mutate.rs"]
pub mod mutate;
#[path = "../../tests/it/fuzz/signature.rs"]
pub mod signature;
#[path = "../../tests/it/fuzz/signature_input.rs"]
pub mod signature_input;
#[path = "../../tests/it/fuzz/validate.rs"]
pub mod validate;
#[path = "../../tests/it/fuzz/velo.rs"]
pub mod velo;
#[path = "../../tests/it/fuzz/wix_answers.rs"]
pub mod wix_answers;
