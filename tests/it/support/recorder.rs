//! A subscriber that records the events of this crate, thread by thread.

use std::{cell::RefCell, collections::BTreeMap, fmt, sync::Once};

use tracing::field::{Field, Visit};
use tracing_subscriber::layer::SubscriberExt;

pub(crate) type Event = BTreeMap<&'static str, String>;

thread_local! {
    /// What was recorded on this thread: all of a test runs on one.
    pub(crate) static EVENTS: RefCell<Vec<Event>> = const { RefCell::new(Vec::new()) };
}

/// Records the events of this crate, each with its fields.
pub(crate) struct Recorder;

impl Recorder {
    /// Records from now on, for all threads: a process has one subscriber.
    pub(crate) fn install() {
        static ONCE: Once = Once::new();
        let registry = || tracing_subscriber::registry().with(Self);
        ONCE.call_once(|| {
            tracing::subscriber::set_global_default(registry()).expect("there is no other");
        });
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Recorder {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        struct Fields(Event);
        impl Visit for Fields {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                self.0.insert(field.name(), format!("{value:?}"));
            }
            fn record_str(&mut self, field: &Field, value: &str) {
                self.0.insert(field.name(), value.to_owned());
            }
        }
        if event.metadata().target() == "hmac_auth" {
            let mut fields = Fields(Event::new());
            event.record(&mut fields);
            EVENTS.with_borrow_mut(|events| events.push(fields.0));
        }
    }
}
