//! The FIPS mode of AWS-LC: nothing is computed without it.

use std::sync::LazyLock;

/// Panics unless the linked AWS-LC is its FIPS module. Call it when your program starts.
///
/// Without this call, the first use of the engine does the same: the first [`Secret`](crate::Secret),
/// digest or random number. So no request is signed or validated without the module.
///
/// The module tests itself when the program starts, and aborts the program if a test fails.
///
/// ```
/// hmac_auth::assert_fips_mode();
/// ```
///
/// # Panics
///
/// If the linked AWS-LC is another build, such as one that the linker found on the system.
pub fn assert_fips_mode() {
    static MODE: LazyLock<Result<(), &'static str>> = LazyLock::new(aws_lc_rs::try_fips_mode);
    demand(*MODE);
}

fn demand(mode: Result<(), &'static str>) {
    if let Err(reason) = mode {
        panic!(
            "hmac-auth has the feature `fips`, but the linked AWS-LC is not its FIPS module \
             ({reason}): build with AWS_LC_FIPS_SYS_USE_SYSTEM=0, and link no other libcrypto"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{assert_fips_mode, demand};

    #[test]
    fn the_module_is_linked() {
        assert_fips_mode();
    }

    #[test]
    #[should_panic(expected = "is not its FIPS module (FIPS mode not enabled!)")]
    fn another_library_stops_the_program() {
        demand(Err("FIPS mode not enabled!"));
    }
}
