//! One scene: traffic on a cluster, and what happens to the cluster meanwhile.

use std::{
    collections::HashMap,
    error::Error,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    cluster::Cluster,
    traffic::{Lag, Plan, Sent},
};

pub(crate) type Done<T = ()> = Result<T, Box<dyn Error>>;

/// A scene that is over.
pub(crate) struct Scene {
    pub(crate) sent: Vec<Sent>,
    /// How often each order was taken.
    pub(crate) taken: HashMap<u32, usize>,
    pub(crate) fault: Option<Fault>,
}

#[derive(Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) began: Instant,
    /// When its cause was gone.
    pub(crate) ended: Instant,
    /// The host that was concerned, if it was only one.
    pub(crate) host: Option<&'static str>,
}

impl Fault {
    pub(crate) fn of_all(began: Instant, ended: Instant) -> Self {
        Self {
            began,
            ended,
            host: None,
        }
    }
}

/// How much is sent.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) requests: u32,
    pub(crate) per_second: u32,
    /// How soon after a fault each request has to be accepted again.
    pub(crate) recovery: Duration,
}

impl Scale {
    /// Second copies follow at once or later. The latest ones meet a cluster that had a fault since
    /// the first copy.
    pub(crate) fn plan(self) -> Plan {
        let mut plan = Plan {
            requests: self.requests,
            per_second: self.per_second,
            lags: Vec::new(),
            age: Duration::ZERO,
            route: None,
        };
        plan.lags = vec![
            Lag::None,
            Lag::After(Duration::ZERO),
            Lag::After(Duration::from_millis(500)),
            Lag::After(plan.duration().mul_f64(0.35)),
        ];
        plan
    }
}

/// Until the time of the traffic in which faults begin.
pub(crate) async fn before_fault(plan: &Plan) {
    sleep(plan.duration().mul_f64(0.35)).await;
}

/// As long as a fault lasts.
pub(crate) async fn during_fault(plan: &Plan) {
    sleep(length_of_fault(plan)).await;
}

pub(crate) fn length_of_fault(plan: &Plan) -> Duration {
    plan.duration().mul_f64(0.15)
}

/// Nothing breaks.
pub(crate) async fn no_fault() -> Done<Option<Fault>> {
    Ok(None)
}

/// Sends what is planned, with the fault meanwhile.
pub(crate) async fn play(
    cluster: &Cluster,
    plan: &Plan,
    fault: impl Future<Output = Done<Option<Fault>>>,
) -> Done<Scene> {
    let (sent, fault) = tokio::join!(plan.send(cluster.address), fault);
    // The last lines of the hosts are on their way.
    sleep(Duration::from_millis(200)).await;
    Ok(Scene {
        sent: sent?,
        taken: cluster.taken(),
        fault: fault?,
    })
}
