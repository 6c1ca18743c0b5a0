//! The trait of all replay guards.

use std::sync::Arc;

use super::use_once::{AcceptOnce, UseOnce};
use crate::validate::{AuthError, ReplayId, Validated};

/// Remembers which signatures were used.
///
/// [`MemoryReplayGuard`](crate::MemoryReplayGuard) is a guard for one process. Several processes
/// behind one load balancer share a `RedisReplayGuard`, with the feature `redis`, or a guard of your
/// own:
///
/// ```
/// use std::sync::Arc;
///
/// use hmac_auth::{
///     AuthError, AuthErrorKind, ReplayGuard, ReplayId, UseOnce,
/// };
///
/// struct SharedGuard(Arc<Database>);
/// # struct Database;
/// # impl Database {
/// #     async fn insert(&self, _key: [u8; 32], _until: i64) -> Result<bool, std::io::Error> {
/// #         Ok(true)
/// #     }
/// # }
///
/// impl ReplayGuard for SharedGuard {
///     fn use_once(&self, id: &ReplayId, _consumer: &str) -> UseOnce {
///         let (database, id) = (Arc::clone(&self.0), id.clone());
///         UseOnce::pending(async move {
///             let (key, until) = (*id.as_bytes(), id.fresh_until());
///             match database.insert(key, until).await {
///                 Ok(true) => Ok(()),
///                 Ok(false) => Err(AuthErrorKind::Replayed.into()),
///                 // Never accept a request that was not checked.
///                 Err(error) => Err(AuthError::replay_guard_unavailable(error)),
///             }
///         })
///     }
/// }
/// ```
pub trait ReplayGuard: Send + Sync {
    /// Remembers the signature, unless it was used before.
    ///
    /// If several processes ask about the same signature, exactly one call may succeed.
    /// The layers of `tower` call this method once for each request whose signature is valid, just
    /// before the handler. Any error refuses the request.
    ///
    /// The [consumer](Validated::consumer) is proven, too: for guards that share out their room.
    fn use_once(&self, id: &ReplayId, consumer: &str) -> UseOnce;

    /// The error of [`use_once`](Self::use_once), if the guard knows at once that it will refuse
    /// this signature.
    ///
    /// The layers of `tower` call this method before they read a body, so that nobody can have the
    /// body of a used-up request read again. The method must not wait, and changes nothing. `None`
    /// says that the answer is unknown: [`use_once`](Self::use_once) decides after the body.
    ///
    /// By default, the answer is unknown. Leave it so for a guard that has to ask another machine.
    fn known_refusal(&self, id: &ReplayId) -> Option<AuthError> {
        let _ = id;
        None
    }

    /// Gives the proof back if this is the first use of its signature.
    ///
    /// This is [`use_once`](Self::use_once) for a host without a layer: a replayed request leaves
    /// no proof behind.
    ///
    /// ```
    /// # use hmac_auth::{
    /// #     AuthError, ReplayGuard, SecretStore, ValidateOptions, Validated, validate_auth,
    /// # };
    /// async fn validate(
    ///     request: &http::Request<Vec<u8>>,
    ///     secrets: &dyn SecretStore,
    ///     options: &ValidateOptions,
    ///     guard: &dyn ReplayGuard,
    /// ) -> Result<Validated, AuthError> {
    ///     let validated = validate_auth(request, secrets, options)?;
    ///     guard.accept_once(validated).await
    /// }
    /// ```
    fn accept_once(&self, validated: Validated) -> AcceptOnce {
        let answer = self.use_once(validated.replay_id(), validated.consumer());
        AcceptOnce::new(validated, answer)
    }
}

impl<T: ReplayGuard + ?Sized> ReplayGuard for Arc<T> {
    fn use_once(&self, id: &ReplayId, consumer: &str) -> UseOnce {
        (**self).use_once(id, consumer)
    }

    fn known_refusal(&self, id: &ReplayId) -> Option<AuthError> {
        (**self).known_refusal(id)
    }
}
