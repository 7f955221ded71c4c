// The words of health, their order from worst, and how each looks.
import { clock, EVIDENCE_LIMIT } from './clock.svelte'
import type { Health, Lag, Link, Verdict, Word } from './types'

export type Tone = 'ok' | 'catching' | 'warn' | 'fail' | 'unknown' | 'neutral'
export type Shape = 'circle' | 'triangle' | 'diamond' | 'square' | 'hatched' | 'bars' | 'hollow' | 'play'

export const HEALTHS: Health[] = ['FAILED', 'UNKNOWN', 'DEGRADED', 'CATCHING_UP', 'PAUSED', 'STOPPED', 'HEALTHY']

export const TONE: Record<Health | Word, Tone> = {
  HEALTHY: 'ok', PASS: 'ok', CATCHING_UP: 'catching', DEGRADED: 'warn', WARN: 'warn', FAILED: 'fail', FAIL: 'fail',
  UNKNOWN: 'unknown', PAUSED: 'neutral', STOPPED: 'neutral',
}

export const SHAPE: Record<Health | Word, Shape> = {
  HEALTHY: 'circle', PASS: 'circle', CATCHING_UP: 'triangle', DEGRADED: 'diamond', WARN: 'diamond', FAILED: 'square', FAIL: 'square',
  UNKNOWN: 'hatched', PAUSED: 'bars', STOPPED: 'hollow',
}

export const NAME: Record<Health | Word, string> = {
  HEALTHY: 'Healthy', PASS: 'Pass', CATCHING_UP: 'Catching up', DEGRADED: 'Degraded', WARN: 'Warning', FAILED: 'Failed', FAIL: 'Fail',
  UNKNOWN: 'Unknown', PAUSED: 'Paused', STOPPED: 'Stopped',
}

export function severity(health: Health): number {
  const index = HEALTHS.indexOf(health)
  return index < 0 ? 1 : index
}

/** Health as it may be shown now: a word we do not know and evidence that is too old are UNKNOWN. */
export function freshHealth(health: Health, asOf: string | null | undefined): Health {
  if (!(health in TONE)) return 'UNKNOWN'
  if (health === 'STOPPED') return health
  return clock.stale(asOf) ? 'UNKNOWN' : health
}

export function linkHealth(link: Link): Health {
  return freshHealth(link.health, link.as_of)
}

export function linkReason(link: Link): string {
  if (linkHealth(link) === 'UNKNOWN' && link.health !== 'UNKNOWN') {
    return `No evidence within ${EVIDENCE_LIMIT} s; it was ${NAME[link.health].toLowerCase()} before.`
  }
  return link.health_reason ?? ''
}

export function freshVerdict(verdict: Verdict, receivedAt: number | null): Word {
  if (!(verdict.verdict in TONE)) return 'UNKNOWN'
  const age = SCHEDULED.has(verdict.check) ? sinceReceived(receivedAt) : verdictAge(verdict, receivedAt)
  return age !== null && age > EVIDENCE_LIMIT ? 'UNKNOWN' : verdict.verdict
}

/** Checks of what is done once in a while: how long ago that was says nothing, how long ago the worker has said so does. */
const SCHEDULED = new Set(['topics-sync', 'settings-sync', 'acl-sync', 'groups', 'credentials', 'loop', 'distance'])

/** Seconds since it was received; null where nothing was. */
export function sinceReceived(receivedAt: number | null): number | null {
  return receivedAt === null ? null : Math.max(0, (clock.now - receivedAt) / 1000)
}

export function verdictAge(verdict: Verdict, receivedAt: number | null): number | null {
  const measured = clock.age(verdict.observed_at)
  if (measured !== null) return measured
  const since = sinceReceived(receivedAt)
  if (verdict.age_seconds === null || verdict.age_seconds === undefined || since === null) return null
  return verdict.age_seconds + since
}

export function lagKnown(lag: Lag | null | undefined): boolean {
  return !!lag?.known && (!lag.as_of || !clock.stale(lag.as_of))
}

/** Whether what a link says is too old to be shown as if it held now. */
export function linkAged(link: Link): boolean {
  return linkHealth(link) === 'UNKNOWN'
}

/** The same of a topic or a partition. */
export function rowAged(row: { as_of: string; state: string }): boolean {
  return clock.stale(row.as_of) || /(^|-)(unknown|unassigned)$/.test(row.state)
}

/** The state of a topic or a partition as it may be shown now. */
export function freshState(row: { as_of: string; state: string }): string {
  return clock.stale(row.as_of) ? 'unknown' : row.state
}

/** How many partitions are seen to copy, and whether all are: one of any other state is not, whatever the state is called. */
export function copying(partitions: { total: number | null; by_state: Record<string, number> } | null): { count: number; all: boolean } {
  const count = partitions?.by_state.active ?? 0
  return { count, all: count > 0 && count === partitions?.total }
}

export function partitionTone(state: string): Tone {
  switch (state) {
    case 'active':
      return 'ok'
    case 'starting':
    case 'creating':
      return 'catching'
    case 'retrying':
    case 'throttled':
    case 'unassigned':
      return 'warn'
    case 'paused':
    case 'failed-over':
    case 'promoted':
      return 'neutral'
    default:
      return /(^|-)unknown$/.test(state) ? 'unknown' : 'fail'
  }
}

export function topicTone(row: { as_of: string; state: string; state_class: string }): Tone {
  if (rowAged(row)) return 'unknown'
  const stateClass = row.state_class
  return ({ active: 'ok', creating: 'catching', failing: 'fail', neutral: 'neutral' } as Record<string, Tone>)[stateClass] ?? 'unknown'
}

export function connectTone(state: string): Tone {
  switch (state) {
    case 'FAILED':
      return 'fail'
    case 'UNASSIGNED':
    case 'RESTARTING':
      return 'warn'
    default:
      return 'neutral'
  }
}

/** The mark of Connect's state, which says what was asked for and not how it goes: never one of health's. */
export function connectShape(state: string): Shape {
  return ({ RUNNING: 'play', PAUSED: 'bars', STOPPED: 'hollow' } as Record<string, Shape>)[state] ?? TONE_SHAPE[connectTone(state)]
}

export const TONE_SHAPE: Record<Tone, Shape> = {
  ok: 'circle', catching: 'triangle', warn: 'diamond', fail: 'square', unknown: 'hatched', neutral: 'hollow',
}
