// The rules of Prometheus as they are shipped, and what of them can be judged from what the workers know now.
import { clock, EVIDENCE_LIMIT } from './clock.svelte'
import { count, duration, plural } from './format'
import { freshVerdict, lagKnown, linkHealth, sinceReceived } from './status'
import type { Cluster, Link, Rebalance } from './types'

export interface Rule {
  name: string
  severity: 'critical' | 'warning' | 'info'
  /** Seconds for which the condition has to hold. */
  holds: number
  expression: string
  summary: string
}

export interface Facts {
  links: Link[]
  clusters: Cluster[]
  /** When all of it was received. */
  receivedAt: number | null
  rebalances: Rebalance[]
}

/** Whether a condition holds for something; null where that is not known. */
interface Judged {
  object: string
  link: string | null
  holds: boolean | null
  value: string
}

export type AlertState = 'firing' | 'pending' | 'unknown' | 'inactive' | 'not judged here'

export interface Alert extends Judged {
  rule: Rule
  state: AlertState
  /** When this page saw it first. */
  since: number | null
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 }

function seconds(text: string): number {
  const found = /^(\d+)([smhd])$/.exec(text.trim())
  return found ? Number(found[1]) * (UNITS[found[2]!] ?? 1) : 0
}

/** Reads the one file that is shipped, and no other YAML. */
export function rulesOf(text: string): Rule[] {
  const found: Rule[] = []
  let expression: string[] | null = null
  for (const line of text.split('\n')) {
    if (/^\s*#/.test(line)) continue
    const begins = /^ {6}- (alert|record): *(\S+)/.exec(line)
    if (begins) {
      expression = null
      if (begins[1] === 'alert') found.push({ name: begins[2]!, severity: 'warning', holds: 0, expression: '', summary: '' })
      continue
    }
    const rule = found.at(-1)
    if (!rule) continue
    const member = /^ {8,10}(for|expr|labels|summary): *(.*)$/.exec(line)
    if (member) {
      const [, name, value] = member as unknown as [string, string, string]
      expression = null
      if (name === 'for') rule.holds = seconds(value)
      else if (name === 'summary') rule.summary = value.replace(/^"(.*)"$/, '$1')
      else if (name === 'labels') rule.severity = (/severity: *(critical|warning|info)/.exec(value)?.[1] ?? 'warning') as Rule['severity']
      else if (value === '|') expression = []
      else rule.expression = value
    } else if (expression && /^ {10}/.test(line)) {
      expression.push(line.slice(10))
      rule.expression = expression.join('\n')
    } else expression = null
  }
  return found
}

/** The same rules as an object for the operator of Kubernetes. */
export function asPrometheusRule(text: string): string {
  const body = text.split('\n').filter((line) => !line.startsWith('#')).map((line) => (line === '' ? '' : `  ${line}`)).join('\n').trimEnd()
  return `apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: tributary\nspec:\n${body}\n`
}

const rests = (link: Link) => link.connect_state === 'PAUSED' || link.connect_state === 'STOPPED'
/** Links of which something is known that is not too old. */
const seen = (link: Link) => !clock.stale(link.as_of)

function perLink(links: Link[], of: (link: Link) => Omit<Judged, 'object' | 'link'> | null): Judged[] {
  return links.flatMap((link) => {
    const judged = of(link)
    return judged ? [{ object: link.name, link: link.name, ...judged }] : []
  })
}

/** Partitions of which no worker says anything: that of a worker which is silent may stand, as far as anybody knows. */
const silent = (link: Link) => (link.connect_state === 'STOPPED' ? 0 : (link.partitions.by_state.unassigned ?? 0) + (link.partitions.by_state.unknown ?? 0))
/** Whether some partitions are in a state, where it is known of all or at least of one. */
function some(link: Link, number: number): boolean | null {
  if (!seen(link)) return null
  if (number > 0) return true
  const isUnheard = silent(link) > 0 || (link.partitions.total === null && link.connect_state !== 'STOPPED')
  return isUnheard ? null : false
}
const unheard = (link: Link) => (silent(link) ? `nothing is known of ${plural(silent(link), 'partition')}` : some(link, 0) === null ? 'its partitions are not known' : null)
/** Whether what was received says nothing any more. */
const aged = ({ receivedAt }: Facts) => (sinceReceived(receivedAt) ?? Infinity) > EVIDENCE_LIMIT

/** The states that the rule leaves out: those of partitions that go on by themselves, or have a rule of their own. */
const GOES_ON = /^(active|starting|retrying|stalled|unassigned|paused|(.+-)?unknown)$/
/** Seconds without a reading after which the rule speaks. */
const OLD = 120
const LAG_OBJECTIVE = 60
const LAG_OF_NOTE = 10_000

/** What the page can judge, by the name of the rule. The others need values over time. */
const JUDGES: Record<string, (facts: Facts) => Judged[]> = {
  TributaryTaskFailed: ({ links }) => perLink(links, (link) => ({ holds: seen(link) ? link.tasks.failed > 0 : null, value: `${link.tasks.failed} of ${link.tasks.total} tasks failed` })),
  TributaryLinkFailed: ({ links }) => perLink(links, (link) => {
    const health = linkHealth(link)
    return { holds: health === 'UNKNOWN' ? null : health === 'FAILED', value: link.health_reason }
  }),
  TributaryPartitionStopped: ({ links }) => perLink(links, (link) => {
    const states = Object.entries(link.partitions.by_state).filter(([state, number]) => !GOES_ON.test(state) && number > 0)
    return { holds: some(link, states.length), value: states.map(([state, number]) => `${count(number)} ${state}`).join(', ') || (unheard(link) ?? 'none stands') }
  }),
  TributaryStalled: ({ links }) => perLink(links, (link) => {
    const number = link.partitions.by_state.stalled ?? 0
    return { holds: some(link, number), value: number ? `${count(number)} partitions stand still` : (unheard(link) ?? 'none stands still') }
  }),
  TributaryEvidenceStale: ({ links }) => perLink(links, (link) => {
    if (link.connect_state === 'STOPPED') return null
    const age = clock.age(link.lag.as_of)
    return { holds: age === null ? null : age > OLD, value: age === null ? 'no reading yet' : `newest reading ${duration(age)} old` }
  }),
  TributaryLagHigh: ({ links }) => perLink(links, (link) => {
    if (rests(link)) return null
    const lag = link.lag.seconds
    // A lower bound above the objective is enough.
    const holds = lag !== null && lag > LAG_OBJECTIVE ? true : lagKnown(link.lag) ? false : null
    return { holds, value: lag === null ? 'lag not known' : `${lagKnown(link.lag) ? '' : '≥ '}${duration(lag)} behind, objective ${duration(LAG_OBJECTIVE)}` }
  }),
  TributaryLagGrowing: ({ links }) => perLink(links, (link) => {
    if (rests(link)) return null
    const { converging, records_per_second: rate } = link.catch_up
    const records = link.lag.records
    const holds = !seen(link) || records === null ? null : records > LAG_OF_NOTE && converging === false
    return { holds, value: converging === false && rate !== null ? `losing ${count(Math.abs(rate))} records/s` : `${count(records)} records behind` }
  }),
  TributaryClusterUnreachable: ({ clusters, receivedAt }) => clusters.map((cluster) => {
    const word = freshVerdict(cluster.reachability, receivedAt)
    return { object: cluster.aliases.join(', ') || cluster.bootstrap || cluster.cluster_id || 'unknown cluster', link: null, holds: word === 'UNKNOWN' ? null : word === 'FAIL', value: cluster.reachability.evidence }
  }),
  TributaryDelayedRebalance: (facts) => facts.rebalances.filter((each) => each.state === 'scheduled' && each.unassigned.length > 0).map((each) => ({
    object: each.unassigned[0]?.last_worker ?? 'a worker', link: null, holds: aged(facts) ? null : true, value: `${each.unassigned.length} tasks wait${each.remaining_seconds === null ? '' : ` for ${duration(each.remaining_seconds)} more`}`,
  })),
  // What was received lately came from one.
  TributaryNoWorkers: () => [],
}

/** Since when each condition holds, as far as this page has seen. */
export class Watch {
  #since = new Map<string, number>()

  /** All rules: a row for each thing whose condition holds or is not known, one for a rule that is at rest. */
  judge(rules: Rule[], facts: Facts, now: number): Alert[] {
    const holding = new Map<string, number>()
    const rows = rules.flatMap((rule): Alert[] => {
      const judge = JUDGES[rule.name]
      const rest = (state: AlertState, value: string): Alert => ({ rule, object: '', link: null, holds: state === 'inactive' ? false : null, value, state, since: null })
      if (!judge) return [rest('not judged here', 'needs values over time, which Prometheus has')]
      const judged = judge(facts)
      const rows = judged.filter((each) => each.holds !== false).map((each): Alert => {
        if (each.holds === null) return { ...each, rule, state: 'unknown', since: null }
        const key = `${rule.name}\u0000${each.object}`
        const since = this.#since.get(key) ?? now
        holding.set(key, since)
        return { ...each, rule, since, state: (now - since) / 1000 >= rule.holds ? 'firing' : 'pending' }
      })
      if (rows.length === 0 && aged(facts)) return [rest('unknown', facts.receivedAt === null ? 'nothing was received yet' : `the newest answer is ${duration(sinceReceived(facts.receivedAt))} old`)]
      return rows.length ? rows : [rest('inactive', judged.length ? `does not hold for any of ${judged.length}` : 'nothing that it could hold for')]
    })
    this.#since = holding
    return rows.sort((left, right) => rank(left) - rank(right))
  }
}

const STATES: AlertState[] = ['firing', 'pending', 'unknown', 'inactive', 'not judged here']
const SEVERITIES = ['critical', 'warning', 'info']

function rank(alert: Alert): number {
  return STATES.indexOf(alert.state) * 10 + SEVERITIES.indexOf(alert.rule.severity)
}
