//! Clusters that were away: who waits until it looks for them again goes on as soon as somebody has found them.

use super::{Core, Index, Located};

impl Core {
    /// Takes from a look-up whether both clusters can be asked at all. One request asks for many, so nobody is stormed.
    pub(super) fn note_answers(&mut self, located: &[Located]) {
        let answered = |one: &Located| one.source.is_ok() && one.destination.is_ok();
        if !located.iter().any(answered) {
            return self.apart.extend(located.iter().map(|one| one.index));
        }
        for index in std::mem::take(&mut self.apart) {
            self.look_now(index);
        }
    }

    /// Looks at a partition that waits for its timer.
    fn look_now(&mut self, index: Index) {
        let timer = self.partitions.get_mut(&index).and_then(|p| p.timer.take());
        if let Some(at) = timer {
            self.timers.remove(&(at, index));
            self.to_locate.insert(index);
        }
    }
}
