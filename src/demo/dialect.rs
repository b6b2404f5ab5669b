//! Which generation of Materialize is imitated.

/// Which generation of Materialize the stand-in imitates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DemoDialect {
    /// Today's: SUBSCRIBE, a progress row every tick.
    #[default]
    Subscribe,
    /// 0.7's: TAIL, progress only after a change.
    Tail,
}
