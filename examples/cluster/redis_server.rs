//! A Redis of this example: Debian's `redis-server` on loopback, with data of its own.

use std::{error::Error, fs, net::SocketAddr, path::Path, process::Stdio};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::cluster::{free_address, until_it_listens};

pub(crate) struct RedisServer {
    child: Child,
    address: SocketAddr,
    options: &'static [&'static str],
    data: TempDir,
    /// Of `synced.c`: it notes what is on the disk.
    library: Option<String>,
}

impl RedisServer {
    pub(crate) async fn start(options: &'static [&'static str]) -> Result<Self, Box<dyn Error>> {
        Self::start_noting(options, None).await
    }

    pub(crate) async fn start_noting(
        options: &'static [&'static str],
        library: Option<String>,
    ) -> Result<Self, Box<dyn Error>> {
        let (address, data) = (free_address()?, tempfile::tempdir()?);
        let child = spawn(address, options, data.path(), library.as_deref())?;
        until_it_listens(address).await?;
        Ok(Self {
            child,
            address,
            options,
            data,
            library,
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

    /// What the disk has after a power cut: without what was only given to the kernel.
    pub(crate) fn lose_what_is_not_on_disk(&self) -> Result<(), Box<dyn Error>> {
        for entry in fs::read_dir(self.data.path().join("appendonlydir"))? {
            let note = entry?.path();
            if note.to_string_lossy().ends_with(".incr.aof.synced") {
                let length = fs::read_to_string(&note)?.parse()?;
                let file = fs::File::options()
                    .write(true)
                    .open(note.with_extension(""))?;
                file.set_len(length)?;
            }
        }
        Ok(())
    }

    /// Starts a new server on the data of the killed one.
    pub(crate) fn restart(&mut self) -> Result<(), Box<dyn Error>> {
        let library = self.library.as_deref();
        self.child = spawn(self.address, self.options, self.data.path(), library)?;
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

fn spawn(
    address: SocketAddr,
    options: &[&str],
    data: &Path,
    library: Option<&str>,
) -> Result<Child, Box<dyn Error>> {
    let port = address.port().to_string();
    let child = Command::new("redis-server")
        .envs(library.map(|library| ("LD_PRELOAD", library)))
        .args(["--bind", "127.0.0.1", "--port", &port, "--save", ""])
        .arg("--dir")
        .arg(data)
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    Ok(child.map_err(|error| format!("redis-server: {error}"))?)
}
