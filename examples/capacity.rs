//! How many machines, and how large a Redis, authentication needs: a small simulation.
//!
//! ```text
//! cargo run --example capacity                                       # the table of docs/capacity.md
//! cargo run --example capacity -- --requests 5000 --request-us 400   # that of your own service
//! cargo run --example capacity -- --chart docs/capacity-chart.svg    # its chart
//! ```
//!
//! Requests arrive by a Poisson process, in steps of a second. A balancer gives each one to a random host, and the hash of its
//! key to a random primary of Redis. Signatures and keys expire. Halfway, one host is lost. The answer is the smallest number
//! of hosts and of primaries for which the busiest second of the busiest one stays within the target. The random numbers have
//! a fixed seed, so each run prints the same.

use std::{collections::VecDeque, error::Error, fmt::Write, fs, path::PathBuf};

use clap::Parser;

/// The sizes that a service needs. The defaults are those of the guide.
#[derive(Parser, Clone)]
struct Assumptions {
    /// Requests per second of the whole service, at its peak
    #[arg(long, value_delimiter = ',', default_values_t = [1_000.0, 100_000.0, 10_000_000.0])]
    requests: Vec<f64>,
    /// Time of a core for one request, with everything that your service does
    #[arg(long, default_value_t = 15.0)]
    request_us: f64,
    /// The part of it that is authentication
    #[arg(long, default_value_t = 2.0)]
    layer_us: f64,
    /// Cores of a host
    #[arg(long, default_value_t = 8.0)]
    cores: f64,
    /// How long a host remembers a signature: `max_time_diff` and one second
    #[arg(long, default_value_t = 61)]
    window: usize,
    /// Memory of the guard for one live signature
    #[arg(long, default_value_t = 16.0)]
    signature_bytes: f64,
    /// How long Redis remembers a key: the window and the margin
    #[arg(long, default_value_t = 81)]
    key_life: usize,
    /// Memory of Redis for one key
    #[arg(long, default_value_t = 160.0)]
    key_bytes: f64,
    /// What a command and its answer have on the wire
    #[arg(long, default_value_t = 91.0)]
    command_bytes: f64,
    /// Commands per second that one primary does
    #[arg(long, default_value_t = 100_000.0)]
    primary: f64,
    /// The busiest second of a host, and of a primary, takes at most this share of it
    #[arg(long, default_value_t = 0.6)]
    target: f64,
    /// How long to simulate
    #[arg(long, default_value_t = 240)]
    seconds: usize,
    /// Another one gives other random numbers
    #[arg(long, default_value_t = 9421)]
    seed: u64,
    /// Draw the chart into this file
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let assumptions = Assumptions::parse();
    if assumptions.window > assumptions.seconds / 2 || assumptions.key_life > assumptions.seconds {
        return Err("simulate longer: the window has to be full before a host is lost".into());
    }
    let services: Vec<_> = assumptions
        .requests
        .iter()
        .map(|rate| Service::smallest(*rate, &assumptions))
        .collect();
    print!("{}", table(&services, &assumptions));
    if let Some(path) = &assumptions.chart {
        fs::write(path, chart(&services))?;
    }
    Ok(())
}

/// A service that is just large enough.
struct Service {
    rate: f64,
    hosts: Group,
    primaries: Group,
}

/// Machines of one kind, and what the busiest one of them had in each second.
struct Group {
    machines: usize,
    /// The share of what a machine can do.
    load: Vec<f64>,
    /// Signatures or keys that it remembers.
    live: Vec<f64>,
}

impl Service {
    fn smallest(rate: f64, assumptions: &Assumptions) -> Self {
        let host = Machine {
            requests: assumptions.cores * 1e6 / assumptions.request_us,
            life: assumptions.window,
            at_least: 2,
            lost: 1,
        };
        // The replica of a primary takes its place.
        let primary = Machine {
            requests: assumptions.primary,
            life: assumptions.key_life,
            at_least: 1,
            lost: 0,
        };
        Self {
            rate,
            hosts: Group::smallest(rate, &host, assumptions),
            primaries: Group::smallest(rate, &primary, assumptions),
        }
    }
}

/// A kind of machine.
struct Machine {
    /// As many as one can do in a second.
    requests: f64,
    /// For so many seconds, it remembers a request.
    life: usize,
    /// There are so many of them, and so many are lost halfway.
    at_least: usize,
    lost: usize,
}

impl Group {
    /// With as few machines as stay within the target.
    fn smallest(rate: f64, machine: &Machine, assumptions: &Assumptions) -> Self {
        let mut machines = machine.at_least;
        while rate > machine.requests * assumptions.target * as_f64(machines) {
            machines += 1;
        }
        loop {
            let group = Self::simulate(rate, machines, machine, assumptions);
            if highest(&group.load) <= assumptions.target {
                return group;
            }
            machines += 1;
        }
    }

    fn simulate(rate: f64, machines: usize, machine: &Machine, assumptions: &Assumptions) -> Self {
        let mut random = Random(assumptions.seed);
        let mut remembered = vec![Remembered::default(); machines];
        let (mut load, mut live) = (Vec::new(), Vec::new());
        for second in 0..assumptions.seconds {
            if second == assumptions.seconds / 2 {
                remembered.truncate(machines - machine.lost);
            }
            let mean = rate / as_f64(remembered.len());
            let (mut busiest, mut fullest) = (0.0_f64, 0.0_f64);
            for one in &mut remembered {
                // Random routing: each machine has a Poisson process of its own.
                let arrived = random.poisson(mean);
                one.pass_a_second(arrived, machine.life);
                busiest = busiest.max(arrived / machine.requests);
                fullest = fullest.max(one.live);
            }
            load.push(busiest);
            live.push(fullest);
        }
        Self {
            machines,
            load,
            live,
        }
    }
}

/// What one machine remembers, by the second of its arrival.
#[derive(Clone, Default)]
struct Remembered {
    seconds: VecDeque<f64>,
    live: f64,
}

impl Remembered {
    fn pass_a_second(&mut self, arrived: f64, life: usize) {
        self.seconds.push_back(arrived);
        self.live += arrived;
        if self.seconds.len() > life {
            self.live -= self.seconds.pop_front().unwrap_or(0.0);
        }
    }
}

/// The generator `SplitMix64`, Steele and others 2014.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Of a mean of hundreds, a Poisson distribution is nearly normal. The sum of twelve uniform numbers is, too, and every
    /// processor computes it alike.
    fn poisson(&mut self, mean: f64) -> f64 {
        let uniform =
            |random: u64| f64::from(u32::try_from(random >> 32).unwrap_or(0)) / 2_f64.powi(32);
        let sum: f64 = (0..12).map(|_| uniform(self.next())).sum();
        (mean + (sum - 6.0) * mean.sqrt()).round().max(0.0)
    }
}

fn table(services: &[Service], assumptions: &Assumptions) -> String {
    let mut text = String::from(
        "| requests/s | hosts | cores for authentication alone | signatures in a host | guard, MiB in a host | \
         primaries of Redis | keys in a primary | MiB in a primary | Mbit/s to Redis |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for Service {
        rate,
        hosts,
        primaries,
    } in services
    {
        let (signatures, keys) = (highest(&hosts.live), highest(&primaries.live));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            short(*rate),
            hosts.machines,
            short(rate * assumptions.layer_us / 1e6),
            short(signatures),
            short(signatures * assumptions.signature_bytes / MIB),
            primaries.machines,
            short(keys),
            short(keys * assumptions.key_bytes / MIB),
            short(rate * assumptions.command_bytes * 8.0 / 1e6),
        );
    }
    text
}

const MIB: f64 = 1_048_576.0;

/// With two or three digits, such as `1.2 k`.
fn short(value: f64) -> String {
    let (value, unit) = match value {
        1e6.. => (value / 1e6, " M"),
        1e3.. => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let decimals = match value {
        9.95.. => 0,
        0.995.. => 1,
        0.0995.. => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let text = if decimals > 0 {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{unit}")
}

const WIDTH: f64 = 720.0;
const PANEL: f64 = 345.0;
const LEFT: f64 = 42.0;
const TOP: f64 = 44.0;
const PLOT: (f64, f64) = (PANEL - LEFT - 8.0, 130.0);
const COLOURS: [&str; 6] = [
    "#2f8fbf", "#d9822b", "#3a9e5f", "#c8504d", "#9471c4", "#8a8a8a",
];

/// One block of HTML without blank lines, so that rustdoc puts it into the page as it is.
fn chart(services: &[Service]) -> String {
    let mut svg = String::new();
    let load = |group: &Group| group.load.iter().map(|load| 100.0 * load).collect();
    panel(
        &mut svg,
        0.0,
        "busiest host, % of its cores",
        services,
        |service| load(&service.hosts),
    );
    let x = WIDTH - PANEL;
    panel(
        &mut svg,
        x,
        "fullest primary, million keys",
        services,
        |service| {
            service
                .primaries
                .live
                .iter()
                .map(|keys| keys / 1e6)
                .collect()
        },
    );
    let height = TOP + PLOT.1 + 24.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"100%\" \
         style=\"max-width:{WIDTH}px\" font-family=\"sans-serif\" font-size=\"11\" fill=\"currentColor\" role=\"img\" \
         aria-label=\"Load and memory over time\">\n\
         <title>A simulation: halfway, one host is lost</title>\n{svg}</svg>\n"
    )
}

fn panel(
    svg: &mut String,
    x: f64,
    title: &str,
    services: &[Service],
    values: impl Fn(&Service) -> Vec<f64>,
) {
    let lines: Vec<_> = services.iter().map(values).collect();
    let top = lines.iter().map(|line| highest(line)).fold(1e-3, f64::max) * 1.1;
    let _ = writeln!(svg, "<g transform=\"translate({x} 0)\">");
    label(svg, (0.0, 12.0), "start", title);
    for share in [0.0, 0.5, 1.0] {
        let y = TOP + PLOT.1 * (1.0 - share);
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y}h{}\" stroke=\"currentColor\" stroke-opacity=\"0.2\"/>",
            PLOT.0
        );
        label(svg, (LEFT - 5.0, y + 4.0), "end", &short(top * share));
    }
    let seconds = lines.first().map_or(0, Vec::len);
    for (share, anchor) in [(0.0, "start"), (0.5, "middle"), (1.0, "end")] {
        let at = format!("{:.0} s", as_f64(seconds) * share);
        label(
            svg,
            (LEFT + PLOT.0 * share, TOP + PLOT.1 + 15.0),
            anchor,
            &at,
        );
    }
    for (index, ((service, line), colour)) in services
        .iter()
        .zip(&lines)
        .zip(COLOURS.iter().cycle())
        .enumerate()
    {
        let left = as_f64(index) * 85.0;
        let _ = writeln!(
            svg,
            "<rect x=\"{left}\" y=\"20\" width=\"9\" height=\"9\" fill=\"{colour}\"/>"
        );
        label(
            svg,
            (left + 12.0, 29.0),
            "start",
            &format!("{}/s", short(service.rate)),
        );
        let mut points = String::new();
        for (second, value) in line.iter().enumerate() {
            let x = LEFT + PLOT.0 * as_f64(second) / as_f64(seconds);
            let y = TOP + PLOT.1 * (1.0 - value / top);
            let _ = write!(points, "{x:.0},{y:.0} ");
        }
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>",
            points.trim_end()
        );
    }
    svg.push_str("</g>\n");
}

fn label(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"{anchor}\">{text}</text>"
    );
}

fn highest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

#[expect(clippy::cast_precision_loss, reason = "machines and seconds")]
fn as_f64(count: usize) -> f64 {
    count as f64
}
