//! What operators do to names.

use crate::acts::healing::Heal;
use crate::dice::Dice;
use crate::script::Op;
use crate::truth::Flow;
use crate::upstream::Generation;
use crate::world::World;

/// So far apart names are moved where streams are of names.
const BY_NAME_US: u64 = 60_000_000;

impl World {
    pub(super) fn rename(&mut self, op: Op, dice: &mut Dice) {
        let flow = match dice.below(8) {
            0 => Flow::Constant,
            _ => Flow::Steady,
        };
        let now_us = self.now_us;
        // What a stream by name is of is asked by the name: there and back again before
        // that is a gap that docs/ARCHITECTURE.md names.
        let moved = self.moved_us.replace(now_us);
        let is_soon = moved.is_some_and(|moved| now_us < moved + BY_NAME_US);
        if is_soon && self.upstream.generation == Generation::Silent {
            return;
        }
        let count = self.names.len();
        match op {
            Op::DropCreate { view, ms } => {
                if let Some(object) = self.object(view) {
                    self.upstream.drop_view(object);
                    let seed = dice.next();
                    match ms < 300 {
                        true => self.create(view, seed, flow),
                        false => self.heal_after(ms, Heal::Create { view, seed }),
                    }
                }
            }
            Op::MoveName { view } => {
                if let Some(object) = self.object(view) {
                    let place = &mut self.upstream.truth.objects[object].place;
                    *place = Some(("public", format!("elsewhere{object}")));
                    self.create(view, dice.next(), flow);
                }
            }
            Op::Swap { view, other } => {
                let (one, two) = (self.object(view), self.object(other));
                if let (Some(one), Some(two)) = (one, two)
                    && one != two
                {
                    let objects = &mut self.upstream.truth.objects;
                    let place = objects[one].place.take();
                    objects[one].place = objects[two].place.take();
                    objects[two].place = place;
                }
            }
            Op::Shadow { view, ms } => {
                let name = self.names[view % count].clone();
                let has_text = dice.percent(50);
                if self.object(view).is_some_and(|it| {
                    let place = &self.upstream.truth.objects[it].place;
                    place.as_ref().is_some_and(|it| it.0 == "public")
                }) {
                    let place = ("early", name.as_str());
                    let object = self.upstream.create(place, has_text, flow, now_us);
                    let changes = crate::truth::changes(&self.upstream.truth.objects[object], dice);
                    self.upstream.change(object, changes, now_us);
                    self.heal_after(ms, Heal::Unshadow { object });
                }
            }
            Op::Rename { view, ms } => {
                if let Some(object) = self.object(view) {
                    let place = &mut self.upstream.truth.objects[object].place;
                    *place = Some(("public", format!("away{object}")));
                    self.heal_after(
                        ms,
                        Heal::Name {
                            object,
                            view: view % count,
                        },
                    );
                }
            }
            _ => {}
        }
    }

    pub(super) fn is_taken(&self, schema: &str, name: &str) -> bool {
        let mut places = self.upstream.truth.objects.iter().flat_map(|it| &it.place);
        places.any(|place| place.0 == schema && place.1 == name)
    }

    pub(super) fn create(&mut self, view: usize, seed: u64, flow: Flow) {
        let mut dice = Dice::new(seed);
        let name = self.names[view % self.names.len()].clone();
        let has_text = dice.percent(50);
        if self.is_taken("public", &name) {
            return;
        }
        let object = self
            .upstream
            .create(("public", &name), has_text, flow, self.now_us);
        let changes = crate::truth::changes(&self.upstream.truth.objects[object], &mut dice);
        self.upstream.change(object, changes, self.now_us);
    }
}
