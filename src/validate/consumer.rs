//! A consumer that a host finds by its key id.

use std::{any::Any, fmt, sync::Arc};

use crate::secret::SecretSet;

/// A consumer in a [`ConsumerDirectory`](crate::ConsumerDirectory): its name, its secrets, and what
/// the application knows about it.
///
/// A clone shares all of it. `Debug` shows the name and the fingerprints of the secrets.
///
/// ```
/// use std::sync::Arc;
///
/// use hmac_auth::{Consumer, Secret, generate_secret};
///
/// struct Tenant {
///     id: u64,
/// }
///
/// let secret = Secret::from_text(&generate_secret()?)?;
/// let consumer = Consumer::new("shop-7", secret).attach(Arc::new(Tenant { id: 7 }));
/// assert_eq!(consumer.attached::<Tenant>().map(|tenant| tenant.id), Some(7));
/// # Ok::<(), hmac_auth::SecretError>(())
/// ```
#[derive(Clone)]
pub struct Consumer {
    name: Arc<str>,
    secrets: SecretSet,
    attached: Option<Arc<dyn Any + Send + Sync>>,
}

impl Consumer {
    /// A consumer under a name of the host's choosing.
    ///
    /// The name goes into [`Validated::consumer`](crate::Validated::consumer) and into events, and
    /// replay guards count by it. Several key ids may belong to one consumer.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, secrets: impl Into<SecretSet>) -> Self {
        Self {
            name: name.into(),
            secrets: secrets.into(),
            attached: None,
        }
    }

    /// Attaches what the application needs to know about the consumer, such as the id of a tenant
    /// or its permissions. [`Validated::attached`](crate::Validated::attached) returns it.
    ///
    /// A second call replaces the first value.
    #[must_use]
    pub fn attach<T: Any + Send + Sync>(mut self, value: Arc<T>) -> Self {
        self.attached = Some(value);
        self
    }

    /// The host's name of this consumer.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The secrets of this consumer.
    #[must_use]
    pub fn secrets(&self) -> &SecretSet {
        &self.secrets
    }

    /// The value that was attached; `None` if there is none, or one of another type.
    #[must_use]
    pub fn attached<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(self.attached.as_ref()?).downcast().ok()
    }

    pub(super) fn shared_name(&self) -> &Arc<str> {
        &self.name
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("name", &self.name)
            .field("secrets", &self.secrets)
            .field("has_attached", &self.attached.is_some())
            .finish()
    }
}
