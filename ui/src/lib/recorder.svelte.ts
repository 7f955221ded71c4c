// Lag over time. A worker that keeps no history still has what this page has seen; a gap stays a gap.
import { clock } from './clock.svelte'
import { lagKnown } from './status'
import type { Lag, Partition } from './types'

export type Unit = 'records' | 'seconds' | 'bytes'

type Values = Record<Unit, number | null>

export interface Sample {
  at: number
  /** Of the link; null where it could not be measured. */
  total: Values | null
  /** Of the worst partition, in each unit for itself. */
  worst: Values
  /** By `topic/partition`; null where it could not be measured. One that is not here was not among the worst. */
  lag: Map<string, Values | null>
}

/** Samples per link: half an hour at one in five seconds. */
const KEPT = 360
const APART = 4500

const UNITS: Unit[] = ['records', 'seconds', 'bytes']
const NOTHING: Values = { records: null, seconds: null, bytes: null }
const recordings = new Map<string, Sample[]>()

function values(lag: Lag): Values | null {
  return lagKnown(lag) ? { records: lag.records, seconds: lag.seconds, bytes: lag.bytes } : null
}

/** The largest of each of `units`; where one partition is not known, it may be the largest. */
function largest(all: Iterable<Values | null>, units: Unit[]): Values {
  const found = { ...NOTHING }
  for (const unit of units) found[unit] = 0
  for (const each of all) {
    for (const unit of units) {
      const value = each?.[unit] ?? null
      const before = found[unit]
      found[unit] = value === null || before === null ? null : Math.max(before, value)
    }
  }
  return found
}

/**
 * Takes down how far the worst partitions of a link, and the link as a whole, are behind now. `by` is the unit in which they are
 * the worst; null where they are all there are. The same array comes back until there is something new in it.
 */
export function record(link: string, partitions: Partition[], whole: Lag, by: Unit | null): Sample[] {
  const samples = recordings.get(link) ?? []
  const at = clock.now
  const last = samples.at(-1)
  if (last && at - last.at < APART) return samples
  const lag: Sample['lag'] = new Map(partitions.map((each) => [`${each.topic}/${each.partition}`, values(each.lag)]))
  const worst = lag.size ? largest(lag.values(), by === null ? UNITS : [by]) : NOTHING
  // Ten minutes without this page are a gap, not a line.
  const gap: Sample[] = last && at - last.at > 60_000 ? [{ at: last.at + APART, total: null, worst: NOTHING, lag: new Map() }] : []
  const longer = [...samples, ...gap, { at, total: values(whole), worst, lag }].slice(-KEPT)
  recordings.set(link, longer)
  return longer
}
