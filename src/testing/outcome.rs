//! What became of a request, as its answer shows.

use http::{Extensions, Response, StatusCode};

use super::tampered::Part;
use crate::{
    tower::{Observed, Upload},
    validate::{AuthErrorKind, Validated},
};

/// What became of a request.
pub(super) enum Outcome {
    /// A layer of this crate has refused the request.
    Refused(AuthErrorKind),
    /// A layer of this crate has let the request through.
    LetThrough(StatusCode),
    /// Something has answered, with no mark of a layer.
    Answered(StatusCode, Mark),
    /// The service itself has failed.
    Failed(String),
}

/// The meaning of an answer without a proof.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    None,
    Observed,
}

impl Outcome {
    pub(super) fn of<R>(response: &Response<R>) -> Self {
        let (status, marks) = (response.status(), response.extensions());
        if let Some(kind) = marks.get::<AuthErrorKind>() {
            return Self::Refused(*kind);
        }
        let mark = match marks {
            _ if has::<Validated>(marks) || has::<Upload>(marks) => {
                return Self::LetThrough(status);
            }
            _ if has::<Observed>(marks) => Mark::Observed,
            _ => Mark::None,
        };
        Self::Answered(status, mark)
    }

    /// Why a changed request was not refused as it must be, or `None` if it was.
    pub(super) fn problem(&self, part: Part) -> Option<String> {
        match self {
            Self::Refused(AuthErrorKind::Replayed) if part != Part::Replay => Some(
                "refused as a replay: the host asks its guard before it has checked the request"
                    .to_owned(),
            ),
            Self::Refused(_) => None,
            Self::LetThrough(status) => Some(format!("accepted, {status}")),
            Self::Answered(status, Mark::Observed) => Some(format!(
                "only observed, {status}: `ObserveAuthLayer` refuses nothing"
            )),
            Self::Answered(status, Mark::None) => {
                // A router whose routes have a layer each finds no route.
                let is_routed = matches!(part, Part::Method | Part::Authority | Part::Path);
                let finds_none = matches!(
                    *status,
                    StatusCode::NOT_FOUND
                        | StatusCode::METHOD_NOT_ALLOWED
                        | StatusCode::MISDIRECTED_REQUEST
                );
                let is_refused = is_routed && finds_none;
                (!is_refused).then(|| format!("{status}, not from a layer of hmac-auth"))
            }
            Self::Failed(error) => Some(format!("the service failed: {error}")),
        }
    }
}

fn has<T: Clone + Send + Sync + 'static>(marks: &Extensions) -> bool {
    marks.get::<T>().is_some()
}
