//! Access tokens of Wix, without a network: the questions and their answers.

mod answer;
mod app_instance;
mod failure;
mod question;
