//! A question to the compiler: does this type implement this trait?

/// Whether a type implements a trait, found out without needing it to.
macro_rules! implements {
    ($type:ty: $($bound:tt)+) => {{
        #[allow(dead_code, reason = "one of the two is not looked at")]
        trait Otherwise { const ANSWER: bool = false; }
        struct Question<T: ?Sized>(std::marker::PhantomData<T>);
        impl<T: ?Sized> Otherwise for Question<T> {}
        #[allow(dead_code, reason = "one of the two is not looked at")]
        impl<T: ?Sized + $($bound)+> Question<T> { const ANSWER: bool = true; }
        (concat!(stringify!($type), ": ", stringify!($($bound)+)), <Question<$type>>::ANSWER)
    }};
}

pub(crate) use implements;
