//! A Redis of this example: Debian's `redis-server` on loopback, with data of its own.

use std::{error::Error, net::SocketAddr, process::Stdio};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::cluster::{free_address, until_it_listens};

pub(crate) struct RedisServer {
    child: Child,
    address: SocketAddr,
    options: &'static [&'static str],
    data: TempDir,
}

impl RedisServer {
    pub(crate) async fn start(options: &'static [&'static str]) -> Result<Self, Box<dyn Error>> {
        let (address, data) = (free_address()?, tempfile::tempdir()?);
        let child = spawn(address, options, &data)?;
        until_it_listens(address).await?;
        Ok(Self {
            child,
            address,
            options,
            data,
        })
    }

    /// A second server that follows this one.
    pub(crate) async fn replica(&self) -> Result<Self, Box<dyn Error>> {
        let replica = Self::start(self.options).await?;
        let port = self.address.port().to_string();
        replica.command(&["REPLICAOF", "127.0.0.1", &port]).await?;
        while !replica
            .command(&["INFO", "replication"])
            .await?
            .contains("master_link_status:up")
        {}
        Ok(replica)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    /// Kills the server, which has no time to write anything.
    pub(crate) async fn kill(&mut self) -> Result<(), Box<dyn Error>> {
        Ok(self.child.kill().await?)
    }

    /// Starts a new server on the data of the killed one.
    pub(crate) fn restart(&mut self) -> Result<(), Box<dyn Error>> {
        self.child = spawn(self.address, self.options, &self.data)?;
        Ok(())
    }

    /// Takes over the port of a server that is gone.
    pub(crate) async fn replace(&mut self, gone: &Self) -> Result<(), Box<dyn Error>> {
        let port = gone.address.port().to_string();
        self.command(&["CONFIG", "SET", "port", &port]).await?;
        self.address = gone.address;
        Ok(())
    }

    pub(crate) async fn command(&self, words: &[&str]) -> Result<String, Box<dyn Error>> {
        let port = self.address.port().to_string();
        let output = Command::new("redis-cli")
            .args(["-e", "-p", &port])
            .args(words)
            .output()
            .await?;
        if !output.status.success() {
            let problem = String::from_utf8_lossy(&output.stderr);
            return Err(format!("redis-cli {}: {problem}", words.join(" ")).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

fn spawn(address: SocketAddr, options: &[&str], data: &TempDir) -> Result<Child, Box<dyn Error>> {
    let port = address.port().to_string();
    let child = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port, "--save", ""])
        .arg("--dir")
        .arg(data.path())
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    Ok(child.map_err(|error| format!("redis-server: {error}"))?)
}
