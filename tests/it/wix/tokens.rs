//! Access tokens of Wix, without a network: the questions and their answers.

mod answer;
mod failure;
mod question;
