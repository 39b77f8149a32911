//! The platforms that a post can be published on.

use waggle_kernel::named_enum;

named_enum! {
    /// A platform that a post is published on.
    pub enum Platform: "platform" {
        /// X, formerly Twitter.
        X = "x",
        /// The local timeline that is included in Waggle.
        Sandbox = "sandbox",
    }
}
