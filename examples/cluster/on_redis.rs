//! What happens to hosts that share a Redis.

use std::{
    env,
    time::{Instant, SystemTime},
};

use crate::{
    any_store,
    cluster::{Cluster, HostCommand, SAME_TIME},
    redis_server::RedisServer,
    scene::{
        Done, Fault, Scale, Scene, before_fault, during_fault, length_of_fault, no_fault, play,
    },
};

/// Written to the disk before each answer.
pub(crate) const ALWAYS: &[&str] = &["--appendonly", "yes", "--appendfsync", "always"];
/// Written to the kernel before each answer, and to the disk each second: the default of Redis.
pub(crate) const EVERY_SECOND: &[&str] = &["--appendonly", "yes", "--appendfsync", "everysec"];
pub(crate) const IN_MEMORY: &[&str] = &["--appendonly", "no"];

pub(crate) async fn calm(scale: Scale) -> Done<Scene> {
    let redis = RedisServer::start(EVERY_SECOND).await?;
    any_store::calm(scale, host("redis", &redis)?).await
}

pub(crate) async fn clocks(scale: Scale) -> Done<Scene> {
    let redis = RedisServer::start(EVERY_SECOND).await?;
    any_store::clocks(scale, host("redis", &redis)?).await
}

pub(crate) async fn host_killed(scale: Scale) -> Done<Scene> {
    let redis = RedisServer::start(ALWAYS).await?;
    any_store::host_killed(scale, host("redis", &redis)?).await
}

/// Redis has no time to end anything, and starts again with what its file has.
pub(crate) async fn killed(
    scale: Scale,
    guard: &'static str,
    options: &'static [&'static str],
) -> Done<Scene> {
    let mut redis = RedisServer::start(options).await?;
    let cluster = Cluster::start(&host(guard, &redis)?, SAME_TIME).await?;
    let plan = scale.plan();
    let fault = async {
        before_fault(&plan).await;
        let began = Instant::now();
        redis.kill().await?;
        during_fault(&plan).await;
        let ended = Instant::now();
        redis.restart()?;
        Ok(Some(Fault::of_all(began, ended)))
    };
    play(&cluster, &plan, fault).await
}

/// As if the machine of Redis had lost its power. The library is that of `synced.c`.
pub(crate) async fn power_cut(
    scale: Scale,
    options: &'static [&'static str],
    library: String,
    distrusts: bool,
) -> Done<Scene> {
    let mut redis = RedisServer::start_noting(options, Some(library)).await?;
    let cluster = Cluster::start(&host("redis", &redis)?, SAME_TIME).await?;
    let plan = scale.plan();
    let fault = async {
        before_fault(&plan).await;
        let began = Instant::now();
        redis.kill().await?;
        redis.lose_what_is_not_on_disk()?;
        during_fault(&plan).await;
        if distrusts {
            cluster.distrust_before(SystemTime::now()).await?;
        }
        let ended = Instant::now();
        redis.restart()?;
        Ok(Some(Fault::of_all(began, ended)))
    };
    play(&cluster, &plan, fault).await
}

/// Redis takes requests, and answers none.
pub(crate) async fn slow(scale: Scale) -> Done<Scene> {
    let redis = RedisServer::start(ALWAYS).await?;
    let cluster = Cluster::start(&host("redis", &redis)?, SAME_TIME).await?;
    let plan = scale.plan();
    let fault = async {
        before_fault(&plan).await;
        let began = Instant::now();
        let length = length_of_fault(&plan).as_millis().to_string();
        redis.command(&["CLIENT", "PAUSE", &length, "ALL"]).await?;
        during_fault(&plan).await;
        let ended = Instant::now();
        Ok(Some(Fault::of_all(began, ended)))
    };
    play(&cluster, &plan, fault).await
}

pub(crate) async fn full(scale: Scale) -> Done<Scene> {
    let redis = RedisServer::start(ALWAYS).await?;
    let policy = ["CONFIG", "SET", "maxmemory-policy", "noeviction"];
    redis.command(&policy).await?;
    let cluster = Cluster::start(&host("redis", &redis)?, SAME_TIME).await?;
    let plan = scale.plan();
    let fault = async {
        before_fault(&plan).await;
        let began = Instant::now();
        redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await?;
        during_fault(&plan).await;
        let ended = Instant::now();
        redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await?;
        Ok(Some(Fault::of_all(began, ended)))
    };
    play(&cluster, &plan, fault).await
}

/// The replica has lost its connection for a while when it takes the place of the killed server.
pub(crate) async fn failed_over(scale: Scale, distrusts: bool) -> Done<Scene> {
    let mut redis = RedisServer::start(ALWAYS).await?;
    let mut replica = redis.replica().await?;
    let cluster = Cluster::start(&host("redis", &redis)?, SAME_TIME).await?;
    let plan = scale.plan();
    let fault = async {
        before_fault(&plan).await;
        replica.command(&["REPLICAOF", "NO", "ONE"]).await?;
        during_fault(&plan).await;
        let began = Instant::now();
        redis.kill().await?;
        during_fault(&plan).await;
        if distrusts {
            // Before the replica answers the first request.
            cluster.distrust_before(SystemTime::now()).await?;
        }
        let ended = Instant::now();
        replica.replace(&redis).await?;
        Ok(Some(Fault::of_all(began, ended)))
    };
    play(&cluster, &plan, fault).await
}

/// A guard in each host, and nothing that they share.
pub(crate) async fn nothing_shared(scale: Scale) -> Done<Scene> {
    let host = HostCommand {
        program: env::current_exe()?,
        arguments: ["host", "--guard", "memory"].map(str::to_owned).into(),
    };
    let cluster = Cluster::start(&host, SAME_TIME).await?;
    play(&cluster, &scale.plan(), no_fault()).await
}

fn host(guard: &str, redis: &RedisServer) -> Done<HostCommand> {
    Ok(HostCommand {
        program: env::current_exe()?,
        arguments: ["host", "--guard", guard, "--redis", &redis.url()]
            .map(str::to_owned)
            .into(),
    })
}
