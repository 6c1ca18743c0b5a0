//! An allocator that knows how many bytes the current thread has taken and not given back.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

/// What glibc takes for a block: its header of 8 bytes, in steps of 16, and 32 at least.
fn taken(size: usize) -> isize {
    let taken = (size + 8).next_multiple_of(16).max(32);
    isize::try_from(taken).unwrap_or(isize::MAX)
}

fn add(bytes: isize) {
    LIVE.set(LIVE.get() + bytes);
}

// SAFETY: everything is left to `System`; the counter neither allocates nor has a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(taken(layout.size()));
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(taken(layout.size()));
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        add(taken(new_size) - taken(layout.size()));
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        add(-taken(layout.size()));
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The bytes that this thread has taken from the allocator, and not given back.
pub(crate) fn live_bytes() -> isize {
    LIVE.get()
}
