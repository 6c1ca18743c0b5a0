//! The table of a comparison: what one run of each contender costs, and the ratios.

use crate::contenders::{Contender, Message, Operation};

/// What each contender needs for one operation on one message, in nanoseconds or instructions.
pub(crate) struct Row<T = f64> {
    pub(crate) operation: Operation,
    pub(crate) message: Message,
    pub(crate) costs: Vec<(Contender, T)>,
}

impl Row {
    pub(crate) fn cost(&self, contender: Contender) -> Option<f64> {
        self.costs
            .iter()
            .find(|(other, _)| *other == contender)
            .map(|(_, cost)| *cost)
    }

    /// How many times the cost of `contender` ours is.
    pub(crate) fn ours_over(&self, contender: Contender) -> Option<f64> {
        Some(self.cost(Contender::Ours)? / self.cost(contender)?)
    }
}

pub(crate) fn print(unit: &str, rows: &[Row]) {
    let others = &Contender::ALL[1..];
    print!(
        "| {unit} | {} | {} | beyond it |",
        Contender::Ours.name(),
        Contender::Floor.name()
    );
    for other in others {
        print!(" / {} |", other.name());
    }
    println!(
        "\n| --- | ---: | ---: | ---: |{}",
        " ---: |".repeat(others.len())
    );
    for row in rows {
        let cost = |contender| row.cost(contender).unwrap_or_default();
        let (ours, floor) = (cost(Contender::Ours), cost(Contender::Floor));
        print!(
            "| {} {} | {ours:.0} | {floor:.0} | {:.0} |",
            row.operation,
            row.message.name,
            ours - floor
        );
        for other in others {
            match row.ours_over(*other) {
                Some(ratio) => print!(" {ratio:.3} |"),
                None => print!(" |"),
            }
        }
        println!();
    }
}
