//! Runs many cases, and shrinks one that fails.

use std::cell::RefCell;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tokio::runtime::Runtime;

use crate::case::{Case, Direction};
use crate::check;
use crate::generate;
use crate::world::World;

/// Cases for which a world is used before a new one takes its place: its database grows.
const CASES_PER_WORLD: usize = 500;

/// A runtime, and a world that many cases share.
pub(crate) struct Player {
    runtime: Runtime,
    world: Option<World>,
    played: usize,
}

impl Player {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Self {
            runtime,
            world: None,
            played: 0,
        }
    }

    pub(crate) fn play(&mut self, case: &Case) -> Result<(), String> {
        if self.played.is_multiple_of(CASES_PER_WORLD) {
            self.world = None;
        }
        self.played += 1;
        let mut world = match self.world.take() {
            Some(world) => world,
            None => self.runtime.block_on(World::start()),
        };
        let held = self.runtime.block_on(check::holds(&mut world, case));
        // What a broken case leaves behind is nobody else's.
        self.world = held.is_ok().then_some(world);
        held
    }
}

/// Plays one case, given as text.
pub(crate) fn one(text: &str) {
    let case: Case = text.parse().unwrap();
    if let Err(broken) = Player::new().play(&case) {
        panic!("{broken}\n\n{case}");
    }
}

#[expect(clippy::disallowed_methods, reason = "told by tests/run")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Plays `KEYWAY_TEST_CASES` cases, or `usual` ones.
fn many(direction: Direction, usual: u32) {
    let cases = number("KEYWAY_TEST_CASES").map_or(usual, |cases| cases as u32);
    let seed = number("KEYWAY_TEST_SEED").unwrap_or(0);
    let mut bytes = [0_u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8] = direction as u8;
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 3_000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let player = RefCell::new(Player::new());
    let result = runner.run(&generate::case(direction), |case| {
        player.borrow_mut().play(&case).map_err(TestCaseError::fail)
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(broken, case)) => panic!(
            "seed {seed}: {broken}\n\nTo keep it, add to tests/properties/regressions.rs:\n\n\
             holds!(what_was_wrong, \"\n{case}\n\");\n"
        ),
        Err(TestError::Abort(reason)) => panic!("seed {seed}: {reason}"),
    }
}

#[test]
fn a_push_holds_its_properties() {
    many(Direction::Push, 180);
}

#[test]
fn a_pull_holds_its_properties() {
    many(Direction::Pull, 60);
}
