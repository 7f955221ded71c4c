//! The whole process before this one, which runs on: it reads, writes and stores beside its successor until it has looked
//! whose the link is. It may stand still meanwhile, and wake when much has happened.

use std::mem::{swap, take};

use config::link::{OnGap, OnRefused};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::{Life, Open, Plant};
use crate::data_plane::core::Core;

/// Processes of a life that were overtaken.
#[derive(Debug)]
pub(super) struct Zombies {
    random: SmallRng,
    /// Number of the process that claimed last.
    newest: u32,
    running: Option<Zombie>,
}

/// One that runs on.
struct Zombie {
    core: Core,
    open: Open,
    process: u32,
    /// Whether it stands still, and whether time has passed since.
    stands: bool,
    slept: bool,
}

impl std::fmt::Debug for Zombie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Zombie")
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

impl Life {
    /// A life with mapped offsets in which processes are overtaken and run on. Nothing is cleaned or left out in it.
    pub(in super::super) fn overtaken(seed: u64, plant: Plant) -> Self {
        let mut life = Self::new(seed, plant);
        life.cleans = false;
        for log in &mut life.destinations {
            (log.restamps, log.refuses) = (false, 0);
            // Batches that are cut anew cannot be compared with what was sent before, and are told.
            log.limit = None;
        }
        life.claimed(seed)
    }

    /// The same, where brokers forget writers.
    pub(in super::super) fn overtaken_and_forgotten(seed: u64, plant: Plant) -> Self {
        let mut life = Self::forgetting(seed, plant);
        for log in &mut life.destinations {
            log.limit = None;
        }
        life.claimed(seed)
    }

    /// The same with preserved offsets.
    pub(in super::super) fn overtaken_in_place(seed: u64, plant: Plant) -> Self {
        let mut life = Self::preserving(seed, plant);
        life.forgets = false;
        life.claimed(seed)
    }

    fn claimed(mut self, seed: u64) -> Self {
        self.zombies = Some(Zombies {
            random: SmallRng::seed_from_u64(seed.rotate_left(17)),
            newest: 1,
            running: None,
        });
        let mut settings = self.core.settings.clone();
        (settings.on_refused, settings.on_gap) = (OnRefused::Stop, OnGap::Stop);
        self.core = Core::new(settings);
        self.core.guard(false);
        self.assign();
        self
    }

    /// Whether the process that acts is not the last one that claimed the link.
    pub(super) fn is_overtaken(&self) -> bool {
        let zombies = self.zombies.as_ref();
        zombies.is_some_and(|zombies| self.process < zombies.newest)
    }

    fn chance(&mut self, of: f64) -> bool {
        let zombies = self.zombies.as_mut();
        zombies.is_some_and(|zombies| zombies.random.random_bool(of))
    }

    /// Another process begins, and this one does not end. `false` where it ends.
    pub(super) fn leave_zombie(&mut self) -> bool {
        let is_free = self.zombies.as_ref().is_some_and(|z| z.running.is_none());
        if !is_free || !self.chance(0.7) {
            return false;
        }
        let stands = self.chance(0.5);
        let core = Core::new(self.core.settings.clone());
        let zombie = Zombie {
            core: std::mem::replace(&mut self.core, core),
            open: take(&mut self.open),
            process: self.process,
            stands,
            slept: false,
        };
        if let Some(zombies) = &mut self.zombies {
            zombies.running = Some(zombie);
        }
        self.tally.crashes += 1;
        self.begin_beside_zombie();
        self.assign();
        true
    }

    /// A process claims the link.
    pub(super) fn begin_beside_zombie(&mut self) {
        if let Some(zombies) = &mut self.zombies {
            zombies.newest += 1;
            self.process = zombies.newest;
            self.core.guard(true);
        }
    }

    /// Lets the process before act in the place of this one.
    fn as_zombie(&mut self, act: impl FnOnce(&mut Self)) {
        let running = self.zombies.as_mut().and_then(|z| z.running.take());
        let Some(mut zombie) = running else { return };
        let exchange = |life: &mut Self, zombie: &mut Zombie| {
            swap(&mut life.core, &mut zombie.core);
            swap(&mut life.open, &mut zombie.open);
            swap(&mut life.process, &mut zombie.process);
        };
        exchange(self, &mut zombie);
        act(self);
        exchange(self, &mut zombie);
        if let Some(zombies) = &mut self.zombies {
            zombies.running = Some(zombie);
        }
    }

    fn running(&mut self) -> Option<&mut Zombie> {
        self.zombies.as_mut()?.running.as_mut()
    }

    /// It does something, if there is one.
    pub(super) fn act_as_zombie(&mut self) {
        let Some(zombie) = self.running() else { return };
        let stands = zombie.stands;
        if stands && self.chance(0.1) {
            return self.wake();
        }
        if stands {
            // Brokers carry out what they have of it.
            if self.chance(0.1) {
                self.as_zombie(Self::execute);
            }
        } else if self.chance(0.5) {
            self.as_zombie(Self::live_on);
        } else if self.chance(0.03) {
            self.end_zombie();
        }
    }

    fn wake(&mut self) {
        let Some(zombie) = self.running() else { return };
        let slept = take(&mut zombie.slept);
        zombie.stands = false;
        self.as_zombie(|life| {
            if slept {
                life.core.was_paused(life.now);
            }
            life.core.on_time(life.now);
        });
    }

    /// Time passes for it too. It looks meanwhile whose the link is, if it can.
    pub(super) fn pass_time_of_zombie(&mut self) {
        let looks = self.chance(0.5);
        let Some(zombie) = self.running() else { return };
        if zombie.stands {
            zombie.slept = true;
            return;
        }
        self.as_zombie(|life| {
            life.core.on_time(life.now);
            if looks {
                life.look();
            }
        });
    }

    /// It finds that it was overtaken.
    fn look(&mut self) {
        let question = self.core.owner_question();
        let successor = (self.plant != Plant::NeverAsk).then(|| "another".to_owned());
        self.core.on_owner(question, self.now, successor);
        self.tally.beside += 1;
    }

    fn live_on(&mut self) {
        let asks = self.core.owner_question() > 0;
        if self.chance(if asks { 0.2 } else { 0.01 }) {
            self.look();
        }
        self.hand_out();
        match self.random.random_range(0..100) {
            0..20 => self.answer_fetch(),
            20..45 => {
                self.execute_fill();
                for _ in 0..self.random.random_range(1..5) {
                    self.execute();
                }
            }
            45..70 => {
                self.answer_fill();
                for _ in 0..self.random.random_range(1..5) {
                    self.answer_call();
                }
            }
            70..75 => self.answer_locate(),
            75..83 => self.answer_establish(),
            83..89 => self.store(true),
            89..95 => self.stored(),
            95 => self.cut(),
            96 if self.places => self.cut_fill(),
            97 => self.answer_looks(),
            _ => self.answer_with_refusal(),
        }
    }

    /// It ends; the first request on each connection may still be carried out.
    pub(super) fn end_zombie(&mut self) {
        self.as_zombie(|life| {
            life.crash_fills();
            for (id, lane) in take(&mut life.open.lanes) {
                let not_served = lane.into_iter().find(|sent| sent.answer.is_none());
                life.late
                    .extend(not_served.map(|sent| (id.node, sent.request)));
            }
            life.count_totals();
        });
        if let Some(zombies) = &mut self.zombies {
            zombies.running = None;
        }
    }
}
