//! How often the heap is asked for memory: these tests own the allocator of their process.

mod app_instance;
mod counting;
mod request;
