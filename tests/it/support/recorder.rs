//! A subscriber that records the events of this crate, thread by thread.

use std::{cell::RefCell, collections::BTreeMap, fmt, sync::Once};

use tracing::{
    Level,
    field::{Field, Visit},
    span::{Id, Record},
};
use tracing_subscriber::layer::{Context, SubscriberExt};

pub(crate) type Event = BTreeMap<&'static str, String>;

thread_local! {
    /// The warnings and errors of this thread: all of a test runs on one.
    pub(crate) static EVENTS: RefCell<Vec<Event>> = const { RefCell::new(Vec::new()) };

    /// The events of lower levels.
    pub(crate) static TRACES: RefCell<Vec<Event>> = const { RefCell::new(Vec::new()) };

    /// What was recorded on spans after they were made.
    pub(crate) static RECORDS: RefCell<Vec<Event>> = const { RefCell::new(Vec::new()) };
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
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "hmac_auth" {
            let mut fields = Fields(Event::new());
            event.record(&mut fields);
            let events = match *event.metadata().level() {
                Level::ERROR | Level::WARN => &EVENTS,
                _ => &TRACES,
            };
            events.with_borrow_mut(|events| events.push(fields.0));
        }
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut fields = Fields(Event::new());
        values.record(&mut fields);
        RECORDS.with_borrow_mut(|records| records.push(fields.0));
    }
}

struct Fields(Event);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}
