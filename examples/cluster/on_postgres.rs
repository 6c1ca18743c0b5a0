//! What happens to hosts that share a `PostgreSQL`. Their program is `replay-host` of
//! `examples/postgres`.

use std::time::Instant;

use crate::{
    cluster::{Cluster, HostCommand, SAME_TIME},
    postgres_server::PostgresServer,
    scene::{Done, Fault, Scale, Scene, before_fault, during_fault, play},
};

pub(crate) async fn killed(scale: Scale, host: HostCommand) -> Done<Scene> {
    let server = PostgresServer::from_env()?;
    let cluster = Cluster::start(&host, SAME_TIME).await?;
    let plan = scale.plan();
    let fault = async {
        before_fault(&plan).await;
        let began = Instant::now();
        server.kill().await?;
        during_fault(&plan).await;
        let ended = Instant::now();
        server.restart().await?;
        Ok(Some(Fault::of_all(began, ended)))
    };
    play(&cluster, &plan, fault).await
}
