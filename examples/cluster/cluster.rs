//! Three host processes behind a `HAProxy`.

use std::{
    collections::HashMap,
    error::Error,
    fmt::Write,
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
    time::{sleep, timeout},
};

pub(crate) const NAMES: [&str; 3] = ["a", "b", "c"];

/// No clock is ahead.
pub(crate) const SAME_TIME: [i64; 3] = [0; 3];

/// How to start a host: a program and its arguments, apart from those of `HostArgs`.
#[derive(Clone)]
pub(crate) struct HostCommand {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
}

pub(crate) struct Cluster {
    /// Where `HAProxy` listens.
    pub(crate) address: SocketAddr,
    hosts: Vec<Host>,
    taken: Taken,
    _haproxy: Child,
    /// Of the configuration of `HAProxy`.
    _folder: TempDir,
}

struct Host {
    name: &'static str,
    command: HostCommand,
    address: SocketAddr,
    clock_offset: i64,
    child: tokio::sync::Mutex<Child>,
}

/// How often each order was taken, by any host.
#[derive(Clone, Default)]
struct Taken(Arc<Mutex<HashMap<u32, usize>>>);

impl Cluster {
    /// The clocks are ahead by these milliseconds.
    pub(crate) async fn start(
        command: &HostCommand,
        clock_offsets: [i64; 3],
    ) -> Result<Self, Box<dyn Error>> {
        let taken = Taken::default();
        let mut hosts = Vec::new();
        for (name, clock_offset) in NAMES.into_iter().zip(clock_offsets) {
            let address = free_address()?;
            let child = spawn(command, name, address, clock_offset, &taken)?;
            hosts.push(Host {
                name,
                command: command.clone(),
                address,
                clock_offset,
                child: child.into(),
            });
        }
        for host in &hosts {
            until_it_listens(host.address).await?;
        }
        let address = free_address()?;
        let folder = tempfile::tempdir()?;
        let haproxy = spawn_haproxy(folder.path(), address, &hosts)?;
        until_it_listens(address).await?;
        Ok(Self {
            address,
            hosts,
            taken,
            _haproxy: haproxy,
            _folder: folder,
        })
    }

    /// How often each order was taken until now.
    pub(crate) fn taken(&self) -> HashMap<u32, usize> {
        self.taken.0.lock().expect("no panic").clone()
    }

    /// Kills a host, which has no time to end anything.
    pub(crate) async fn kill_host(&self, name: &str) -> Result<(), Box<dyn Error>> {
        Ok(self.host(name).child.lock().await.kill().await?)
    }

    pub(crate) async fn restart_host(&self, name: &str) -> Result<(), Box<dyn Error>> {
        let host = self.host(name);
        let (address, clock_offset) = (host.address, host.clock_offset);
        let child = spawn(&host.command, host.name, address, clock_offset, &self.taken)?;
        *host.child.lock().await = child;
        Ok(())
    }

    /// Tells each host. When this returns, all of them know it.
    pub(crate) async fn distrust_before(&self, time: SystemTime) -> Result<(), Box<dyn Error>> {
        let seconds = time.duration_since(UNIX_EPOCH)?.as_secs_f64();
        for host in &self.hosts {
            let mut child = host.child.lock().await;
            let input = child.stdin.as_mut().ok_or("it was taken")?;
            input.write_all(format!("{seconds}\n").as_bytes()).await?;
        }
        // A host reads the line at once.
        sleep(Duration::from_millis(200)).await;
        Ok(())
    }

    fn host(&self, name: &str) -> &Host {
        let mut hosts = self.hosts.iter();
        let host = hosts.find(|host| host.name == name);
        host.expect("one of `NAMES`")
    }
}

fn spawn(
    command: &HostCommand,
    name: &str,
    address: SocketAddr,
    clock_offset: i64,
    taken: &Taken,
) -> Result<Child, Box<dyn Error>> {
    let mut child = Command::new(&command.program)
        .args(&command.arguments)
        .args(["--name", name, "--listen", &address.to_string()])
        .args(["--clock-offset", &clock_offset.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = child.stdout.take().expect("it is piped");
    tokio::spawn(count(output, taken.clone()));
    Ok(child)
}

/// What a host has written before it was killed is still in the pipe.
async fn count(output: ChildStdout, taken: Taken) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let order = line.parse().expect("the number of an order");
        *taken.0.lock().expect("no panic").entry(order).or_default() += 1;
    }
}

/// In turn, except that a request may name its host in `x-server`.
fn spawn_haproxy(
    folder: &Path,
    address: SocketAddr,
    hosts: &[Host],
) -> Result<Child, Box<dyn Error>> {
    let mut config = format!(
        "global\n    maxconn 2000\n\
         defaults\n    mode http\n    timeout connect 1s\n    timeout client 30s\n    timeout server 5s\n\
         frontend api\n    bind {address}\n    default_backend hosts\n\
         backend hosts\n    balance roundrobin\n"
    );
    for Host { name, .. } in hosts {
        writeln!(
            config,
            "    use-server {name} if {{ req.hdr(x-server) {name} }}"
        )?;
    }
    for Host { name, address, .. } in hosts {
        writeln!(
            config,
            "    server {name} {address} check inter 100ms fall 1 rise 1"
        )?;
    }
    let path = folder.join("haproxy.cfg");
    fs::write(&path, config)?;
    let haproxy = Command::new("haproxy")
        .args(["-db", "-q", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("haproxy: {error}"))?;
    Ok(haproxy)
}

pub(crate) fn free_address() -> Result<SocketAddr, Box<dyn Error>> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

pub(crate) async fn until_it_listens(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let connected = async {
        while TcpStream::connect(address).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let connected = timeout(Duration::from_secs(20), connected).await;
    Ok(connected.map_err(|_| format!("nothing listens on {address}"))?)
}
