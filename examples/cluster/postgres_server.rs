//! The `PostgreSQL` of `examples/postgres/run`, which starts this program and says how to start its
//! server again.

use std::{env, error::Error, fs, path::PathBuf, time::Duration};

use tokio::{process::Command, time::sleep};

pub(crate) struct PostgresServer {
    /// A shell command that takes `start` as its last word.
    control: String,
    data: PathBuf,
}

impl PostgresServer {
    pub(crate) fn from_env() -> Result<Self, Box<dyn Error>> {
        let variable = |name| {
            env::var(name)
                .map_err(|_| format!("{name} is not set: start this as `.ci/cluster` does"))
        };
        Ok(Self {
            control: variable("DATABASE_SERVER")?,
            data: variable("DATABASE_DIRECTORY")?.into(),
        })
    }

    /// Kills the server, and with it the processes of its connections.
    pub(crate) async fn kill(&self) -> Result<(), Box<dyn Error>> {
        let process_file = fs::read_to_string(self.data.join("postmaster.pid"))?;
        let process = process_file
            .lines()
            .next()
            .ok_or("an empty postmaster.pid")?;
        // A process of a connection may be gone before its turn comes.
        let kill = format!(
            "children=$(pgrep --parent {process}); kill -KILL {process} && kill -KILL $children; :"
        );
        Command::new("sh").args(["-c", &kill]).status().await?;
        Ok(())
    }

    /// Starts it again on the data of the killed one, and waits until it has replayed its log.
    pub(crate) async fn restart(&self) -> Result<(), Box<dyn Error>> {
        let start = format!("{} start", self.control);
        for _ in 0..50 {
            if Command::new("sh")
                .args(["-c", &start])
                .status()
                .await?
                .success()
            {
                return Ok(());
            }
            // Its shared memory is in use until the last killed process is gone.
            sleep(Duration::from_millis(100)).await;
        }
        Err(format!("it never succeeds: {start}").into())
    }
}
