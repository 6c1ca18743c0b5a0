//! Scenes that are the same whatever the hosts share.

use std::time::{Duration, Instant};

use crate::{
    cluster::{Cluster, HostCommand, SAME_TIME},
    scene::{Done, Fault, Scale, Scene, before_fault, during_fault, no_fault, play},
    traffic::Lag,
};

/// In milliseconds, in the order of the hosts.
const FIVE_SECONDS_APART: [i64; 3] = [0, 2_500, -2_500];

pub(crate) async fn calm(scale: Scale, host: HostCommand) -> Done<Scene> {
    let cluster = Cluster::start(&host, SAME_TIME).await?;
    play(&cluster, &scale.plan(), no_fault()).await
}

/// The first copy comes in one of the last seconds in which the host with the fast clock accepts
/// it. Five seconds later, the host with the slow clock would still accept the second copy, if what
/// they share forgot the first one too early.
pub(crate) async fn clocks(scale: Scale, host: HostCommand) -> Done<Scene> {
    let cluster = Cluster::start(&host, FIVE_SECONDS_APART).await?;
    let mut plan = scale.plan();
    plan.age = Duration::from_secs(55);
    plan.route = Some(["b", "c"]);
    plan.lags = vec![Lag::After(Duration::from_secs(5))];
    play(&cluster, &plan, no_fault()).await
}

pub(crate) async fn host_killed(scale: Scale, host: HostCommand) -> Done<Scene> {
    let cluster = Cluster::start(&host, SAME_TIME).await?;
    let plan = scale.plan();
    let fault = async {
        before_fault(&plan).await;
        let began = Instant::now();
        cluster.kill_host("b").await?;
        during_fault(&plan).await;
        let ended = Instant::now();
        cluster.restart_host("b").await?;
        Ok(Some(Fault {
            host: Some("b"),
            ..Fault::of_all(began, ended)
        }))
    };
    play(&cluster, &plan, fault).await
}
