// What the pages compute by themselves.
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { readdirSync, readFileSync } from 'node:fs'
import { asPrometheusRule, rulesOf, Watch } from '../src/lib/alerts'
import { deviations } from '../src/lib/drift'
import { bytes, count, duration, plain } from '../src/lib/format'
import { picture } from '../src/lib/layout'
import { initialOf, keyOf, kept, taken } from '../src/lib/draft'
import { linkActions, offered, script } from '../src/lib/actions.svelte'
import { grouped, standing } from '../src/lib/attention'
import { concealed, isReference, looksSecret, masked, unmasked } from '../src/lib/secrets'
import { difference, fromProperties, joined, meeting, read, spell, toProperties, undone, told } from '../src/lib/spelling'
import { apart, pause } from '../src/lib/resource.svelte'
import { copying, freshState, freshVerdict, partitionTone, topicTone } from '../src/lib/status'
import { untold } from '../src/lib/told.svelte'
import { drawn, note } from '../src/lib/trail'
import { wanted } from '../src/lib/stream.svelte'
import { inSight, matching, ordered, passes, toCsv, unreadable, type Column } from '../src/lib/table'
import { pieces, STATES } from '../src/lib/states'
import { warningsOf } from '../src/lib/form'
import { stepsBack } from '../src/lib/steps'
import { session } from '../src/lib/session.svelte'
import { numberOf } from '../src/lib/units'
import { ApiError, command, credentials, deadline, get } from '../src/lib/api'
import type { Attention, Cluster, Link, Preview, Rebalance, Verdict, WhoAmI } from '../src/lib/types'

describe('numbers', () => {
  it('unknown is a dash and never a zero', () => {
    expect([count(null), bytes(undefined), duration(null)]).toEqual(['—', '—', '—'])
  })
  it('are short and say their unit', () => {
    expect([count(0), count(999), count(999.9), count(18_400), count(2_910_442)]).toEqual(['0', '999', '1.00 k', '18.4 k', '2.91 M'])
    expect([bytes(1023), bytes(22_020_096)]).toEqual(['1023 B', '21.0 MiB'])
    expect([duration(0.4), duration(59.4), duration(90), duration(11_400)]).toEqual(['0.4 s', '59 s', '1 m 30 s', '3 h 10 m'])
  })
  it('text that hides something shows it', () => {
    expect(plain('a\u202Eb\u0000c')).toBe('a⟨U+202E⟩b␀c')
  })
})

describe('spellings', () => {
  const config = { 'topic.regex': 'orders.*|\\d+', 'x y': ' begins = with: space', empty: '', lines: 'a\nb' }
  it('properties come back as they went, also keys that no form knows', () => {
    expect(fromProperties(toProperties(config))).toEqual(config)
  })
  it('files of Java are read: continued lines, comments, three kinds of separators', () => {
    expect(fromProperties('# c\n! d\na = 1\nb:2\nc 3\nd=one, \\\n   two\ne=\\u0041')).toEqual({ a: '1', b: '2', c: '3', d: 'one, two', e: 'A' })
  })
  it('JSON may be flat or have a name', () => {
    expect(read('{"name":"x","config":{"tasks.max":2}}')).toEqual({ name: 'x', config: { 'tasks.max': '2' }, initialState: null })
    expect(() => read('{"a":{"b":1}}')).toThrow('The value of a')
  })
  it('literal secrets are hidden and references are not', () => {
    const secret = { 'src.kafka.sasl.jaas.config': 'password="x"', 'dest.kafka.ssl.key.password': '${env:KEY}' }
    for (const spelling of ['json', 'properties', 'curl', 'cli', 'terraform', 'helm'] as const) {
      const text = spell(spelling, "it's", secret, 'http://worker:8083')
      expect(text).not.toContain('password="x"')
      expect(text).toContain('[hidden]')
      expect(text).toContain('{env:KEY}')
    }
  })
  it('a difference names both values', () => {
    expect(difference({ a: '1', b: '2' }, { b: '3', c: '4' })).toEqual([{ key: 'a', before: '1', after: null }, { key: 'b', before: '2', after: '3' }, { key: 'c', before: null, after: '4' }])
  })
})

describe('an older configuration', () => {
  it('is what there is, without what was changed since', () => {
    const changes = [[{ key: 'a', before: '2', after: '3' }, { key: 'secret', before: '[hidden]', after: '[hidden]' }], [{ key: 'a', before: '1', after: '2' }, { key: 'b', before: null, after: '1' }, { key: 'c', before: '9', after: null }]]
    expect(undone({ a: '3', b: '1', secret: 'x' }, changes.slice(0, 1))).toEqual({ a: '2', b: '1', secret: 'x' })
    expect(undone({ a: '3', b: '1', secret: 'x' }, changes)).toEqual({ a: '1', c: '9', secret: 'x' })
  })
})

describe('two changes of one configuration', () => {
  const base = { a: '1', b: '1', c: '1', d: '1', e: '1' }
  const theirs = { a: '1', b: '2', c: '2', d: '2', f: '1' }
  const mine = { a: '2', b: '1', c: '2', d: '3', e: '1', g: '1' }
  const rows = meeting(base, theirs, mine)
  it('say of each key whose change it is', () => {
    expect(rows.map(({ key, whose }) => [key, whose])).toEqual([['a', 'mine'], ['b', 'theirs'], ['c', 'same'], ['d', 'both'], ['e', 'theirs'], ['f', 'theirs'], ['g', 'mine']])
  })
  it('are put together without losing one of them', () => {
    expect(joined(rows, theirs, new Set())).toEqual({ a: '2', b: '2', c: '2', d: '2', f: '1', g: '1' })
    expect(joined(rows, theirs, new Set(['d'])).d).toBe('3')
  })
})

describe('states', () => {
  it('every page of docs/errors says what, why and what to do', () => {
    const pages = readdirSync('../docs/errors').filter((name) => name !== 'README.md').map((name) => name.replace('.md', ''))
    expect(STATES.map((state) => state.name)).toEqual(pages.sort((left, right) => left.localeCompare(right)))
  })
  it('code is told from text', () => {
    expect(pieces('do `this`, then that')).toEqual([{ text: 'do ', code: false }, { text: 'this', code: true }, { text: ', then that', code: false }])
  })
})

describe('trails', () => {
  it('a reading is taken once, and a gap stays a gap', () => {
    expect(note('x', 1, 1000)).toEqual(note('x', 5, 1000))
    expect(note('x', 3, 5000).length).toBe(2)
    expect(note('x', 4, 60_000).map((each) => each.value)).toEqual([1, 3, null, 4])
    expect(drawn(note('x', 2, 64_000), 100, 20).line.split('M').length).toBe(3)
    expect(drawn([], 100, 20).line).toBe('')
  })
})

describe('evidence', () => {
  const row = (seconds: number, state: string, state_class = 'active') => ({ as_of: new Date(Date.now() - seconds * 1000).toISOString(), state, state_class })
  it('a state whose evidence is too old is unknown, whatever it was', () => {
    expect([freshState(row(1, 'replicating')), freshState(row(30, 'replicating')), freshState(row(30, 'source-gap'))]).toEqual(['replicating', 'unknown', 'unknown'])
    expect([topicTone(row(1, 'replicating')), topicTone(row(30, 'replicating')), topicTone(row(1, 'unassigned', 'neutral'))]).toEqual(['ok', 'unknown', 'unknown'])
    expect([partitionTone('active'), partitionTone('source-unknown'), partitionTone('source-gap')]).toEqual(['ok', 'unknown', 'fail'])
  })
})

describe('verdicts', () => {
  const found = (check: string, seconds: number) => ({ check, verdict: 'PASS', observed_at: new Date(Date.now() - seconds * 1000).toISOString(), age_seconds: seconds }) as Verdict
  const shown = (check: string, seconds: number, received = 0) => freshVerdict(found(check, seconds), Date.now() - received * 1000)
  it('say nothing any more after twenty seconds, whichever side they are of and whatever they are called', () => {
    for (const check of ['source-reachable', 'destination-reachable', 'worker-answers', 'workers-answer', 'reachable', 'a-check-of-tomorrow']) expect([check, shown(check, 15), shown(check, 25)]).toEqual([check, 'PASS', 'UNKNOWN'])
  })
  it('of what is done once in a while say nothing any more when their worker has not said so lately', () => {
    expect([shown('topics-sync', 40), shown('topics-sync', 40, 25)]).toEqual(['PASS', 'UNKNOWN'])
  })
})

describe('drafts', () => {
  const isSecret = (key: string) => key === 'secret' || key === 'other'
  const base = { a: '1', b: '1', secret: 'hunter2', other: '${env:X}' }
  const text = kept({ name: 'n', version: 'v1', base, initial: null, config: { a: '2', secret: 'hunter2', other: 'typed' } }, isSecret)
  it('hold no secret', () => {
    expect(text).not.toMatch(/hunter2|typed/)
    expect(text).toContain('${env:X}')
  })
  it('come back with what they began from, and with the secrets that are stored', () => {
    expect(taken(text, base)).toEqual({ name: 'n', version: 'v1', base, initial: null, config: { a: '2', secret: 'hunter2', other: '${env:X}' } })
    // What others have made of a secret meanwhile is neither mine nor a difference.
    expect(taken(text, { ...base, secret: 'new' })).toMatchObject({ base: { secret: 'new' }, config: { secret: 'new' } })
  })
  it('that do not say what they began from are none', () => {
    expect(taken(null, base)).toBeNull()
    expect(taken('{"name":"n","config":{"a":"2"}}', base)).toBeNull()
    expect(taken(kept({ name: 'n', version: null, base: null, initial: 'STOPPED', config: { a: '2', secret: 's', url: 'http://al:hunter2@r' } }, isSecret), null)).toEqual({ name: 'n', version: null, base: null, initial: 'STOPPED', config: { a: '2' } })
  })
})

describe('tables', () => {
  const columns: Column<{ name: string; lag: number | null }>[] = [
    { id: 'name', title: '', value: (row) => row.name, width: 1 }, { id: 'lag', title: '', value: (row) => row.lag, width: 1 },
  ]
  const rows = [{ name: 'a', lag: null }, { name: '=b', lag: 2 }, { name: 'c,"', lag: 10 }]
  it('what is not known stands last, whichever way', () => {
    expect(ordered(rows, columns[1], true).map((row) => row.lag)).toEqual([10, 2, null])
    expect(ordered(rows, columns[1], false).map((row) => row.lag)).toEqual([2, 10, null])
  })
  it('names are ordered by their numbers', () => {
    expect(ordered(['t-10', 't-9', 'a'].map((name) => ({ name, lag: 0 })), columns[0], false).map((row) => row.name)).toEqual(['a', 't-9', 't-10'])
  })
  it('rows in sight come in steps, so that scrolling by a row makes nothing anew', () => {
    expect(inSight(0, 600, 36, 5000)).toEqual([0, 24])
    expect(inSight(35, 600, 36, 5000)).toEqual([0, 24])
    const [first, last] = inSight(36 * 1000, 600, 36, 5000)
    expect([first <= 996, last >= 1000 + 17 + 4, last - first < 50]).toEqual([true, true, true])
    expect(inSight(36 * 4990, 600, 36, 5000)[1]).toBe(5000)
    expect(inSight(0, 600, 36, 0)).toEqual([0, 0])
  })
  it('a column is asked for a part of a text, or for more and less than a number', () => {
    expect(['rd', '=orders', '=ord', '>a', 'x'].map((filter) => passes('Orders', filter))).toEqual([true, true, false, false, false])
    expect(['>5', '>= 10', '<10', '<=10', '=10', '=1', '1', '>', '>x'].map((filter) => passes(10, filter))).toEqual([true, true, false, true, true, false, true, true, false])
    expect(['>5', '<5', '=', ''].map((filter) => passes(null, filter))).toEqual([false, false, true, true])
    expect(matching(rows, columns, '', {}, { name: 'c', lag: '>2' }).map((row) => row.name)).toEqual(['c,"'])
  })
  it('a number is asked for as it is shown', () => {
    expect(['10k', '18.4 k', '1 MiB', '1.5MiB/s', '5 s', '3 h 10 m', '2 M', '2 m', '−3', '1e3', '12\u2009345', 'x', '5 k 3 k', '1.2.3', ''].map(numberOf)).toEqual([10_000, 18_400, 1_048_576, 1_572_864, 5, 11_400, 2_000_000, 120, -3, 1000, 12_345, null, null, null, null])
    expect(['>10k', '>20k', '≥ 18.4 k', '=18.4 k', '18.4 k', '18.4k', '19 k'].map((filter) => passes(18_432, filter))).toEqual([true, false, true, true, true, true, false])
    expect(['>5 s', '<5 s', '>3 m'].map((filter) => passes(90, filter))).toEqual([true, false, false])
  })
  it('a moment is asked for as it is shown, with as much of it as was typed', () => {
    const at = '2026-11-27T14:23:48Z'
    expect(['2026-11-27 14:', '14:23', '>2026-11-27 14:', '>=2026-11-27 14:', '>2026-11-26', '<2026-11-27 15', '=2026-11-27', '2026-11-28'].map((filter) => passes(at, filter, true))).toEqual([true, true, false, true, true, true, true, false])
    const column: Column<string> = { id: 'at', title: '', value: (row) => row, width: 1 }
    expect([matching([at], [column], '2026-11-27 14:', {}, {}, true), matching([at], [column], '15:23', {}, {}, true)]).toEqual([[at], []])
  })
  it('a filter that asks nothing which its column could answer says so', () => {
    expect(['>10k', '>x', '>', 'x', '=x'].map((filter) => unreadable([null, 1], filter) !== null)).toEqual([false, true, false, false, false])
    expect(['>2026-11', '>yesterday'].map((filter) => unreadable(['2026-11-27T14:23:48Z'], filter) !== null)).toEqual([false, true])
    expect(unreadable(['orders'], '>x')).toBeNull()
  })
  it('CSV parses, and no cell is a formula', () => {
    expect(toCsv(rows, columns)).toBe('name,lag\r\na,\r\n\'=b,2\r\n"c,""",10\r\n')
  })
})

describe('the map', () => {
  const link = (name: string, from: string, to: string) => ({ name, source: { alias: from, cluster_id: from, bootstrap: '' }, destination: { alias: to, cluster_id: to, bootstrap: '' } }) as unknown as Link
  it('a cluster is one node, links of a pair are one edge, and circles end', () => {
    const drawn = picture([link('1', 'a', 'b'), link('2', 'a', 'b'), link('3', 'b', 'a'), link('4', 'b', 'c')], 900)
    expect(drawn.nodes.map((node) => node.id).sort()).toEqual(['a', 'b', 'c'])
    expect(drawn.edges.map((edge) => edge.links.length).sort()).toEqual([1, 1, 2])
  })
  it('a bundle is unfolded link by link, and clusters stay where they are', () => {
    const links = [link('1', 'a', 'b'), link('2', 'a', 'b'), link('3', 'a', 'b'), link('4', 'b', 'a')]
    const [folded, open] = [picture(links, 900), picture(links, 900, 'a~b')]
    expect(folded.edges.map((edge) => edge.links.length).sort()).toEqual([1, 3])
    expect(open.edges.map((edge) => edge.links.map(({ name }) => name))).toEqual([['1'], ['2'], ['3'], ['4']])
    expect(new Set(open.edges.map((edge) => edge.path)).size).toBe(4)
    expect(open.nodes.map(({ id, x }) => [id, x])).toEqual(folded.nodes.map(({ id, x }) => [id, x]))
    const many = Array.from({ length: 20 }, (_, index) => link(String(index), 'a', 'b'))
    expect(picture(many, 900, 'a~b').edges).toHaveLength(1)
  })
  it('a link that has not come so far means the cluster that another has found at the same address', () => {
    const found = { ...link('1', 'a', 'b'), destination: { alias: null, cluster_id: 'b', bootstrap: 'b-1:9092,b-2:9092' } } as unknown as Link
    const failing = { ...link('2', 'c', 'b'), destination: { alias: null, cluster_id: null, bootstrap: 'b-2:9092' } } as unknown as Link
    expect(picture([found, failing], 900).nodes.map((node) => node.id).sort()).toEqual(['a', 'b', 'c'])
  })
  it('what many flow into stands right of them', () => {
    const drawn = picture([link('1', 'west', 'central'), link('2', 'east', 'central'), link('3', 'central', 'west')], 900)
    const x = (id: string) => drawn.nodes.find((node) => node.id === id)?.x ?? 0
    expect(x('central')).toBeGreaterThan(x('west'))
    expect(x('west')).toBe(x('east'))
  })
})

describe('the stream', () => {
  const listener = (link: string | null, ...channels: string[]) => ({ channels: new Set(channels), link })
  it('is asked for what somebody listens to, and for one link where all listen to it', () => {
    expect(wanted([listener('a', 'links', 'tasks'), listener('a', 'topics')], true)).toBe('channels=links%2Ctasks%2Ctopics&link=a')
    expect(wanted([listener('a', 'links'), listener(null, 'workers')], true)).toBe('channels=links%2Cworkers')
  })
  it('is asked for nothing where nobody looks', () => {
    expect(wanted([listener(null, 'links')], false)).toBe('channels=none')
    expect(wanted([], true)).toBe('channels=none')
  })
  it('leads to a reading a second at most, to fewer where each takes long, and to one before evidence is old', () => {
    expect([apart(5), apart(100), apart(3000)]).toEqual([1000, 6000, 8000])
    expect([pause(5, 20), pause(5, 120), pause(8, 900), pause(30, 900)]).toEqual([5000, 7200, 15_000, 30_000])
  })
})

describe('alerts', () => {
  const text = readFileSync('../ops/prometheus/tributary.rules.yml', 'utf8')
  const rules = rulesOf(text)
  const now = Date.now()
  const link = (more: object) => ({
    name: 'a', as_of: new Date(now).toISOString(), connect_state: 'RUNNING', health: 'HEALTHY', health_reason: '', tasks: { total: 1, failed: 0 }, partitions: { by_state: { active: 3 } },
    lag: { known: true, records: 0, seconds: 0, as_of: new Date(now).toISOString() }, catch_up: { converging: null, records_per_second: null }, ...more,
  }) as unknown as Link
  const facts = (links: Link[]) => ({ links, clusters: [] as Cluster[], receivedAt: now as number | null, rebalances: [] as Rebalance[] })
  const state = (links: Link[], name: string, watch = new Watch(), at = now) => watch.judge(rules, facts(links), at).filter((alert) => alert.rule.name === name).map((alert) => alert.state)
  it('every rule of the file is read, whole', () => {
    expect(rules.length).toBe(text.match(/^ {6}- alert:/gm)?.length)
    expect(rules.filter((rule) => rule.expression === '' || rule.summary === '')).toEqual([])
    expect(rules.find((rule) => rule.name === 'TributaryNothingReplicated')).toMatchObject({ severity: 'critical', holds: 600 })
    expect(asPrometheusRule(text)).toContain('\n  groups:\n    - name: tributary-recording\n')
  })
  it('fire when their condition has held for their time, and begin anew when it has ended', () => {
    const watch = new Watch()
    const failed = [link({ tasks: { total: 1, failed: 1 } })]
    expect(state(failed, 'TributaryTaskFailed', watch)).toEqual(['pending'])
    expect(state(failed, 'TributaryTaskFailed', watch, now + 119_000)).toEqual(['pending'])
    expect(state(failed, 'TributaryTaskFailed', watch, now + 120_000)).toEqual(['firing'])
    expect(state([link({})], 'TributaryTaskFailed', watch, now + 121_000)).toEqual(['inactive'])
    expect(state(failed, 'TributaryTaskFailed', watch, now + 122_000)).toEqual(['pending'])
  })
  it('what is not known is never inactive, and what needs values over time is not judged', () => {
    const old = new Date(now - 60_000).toISOString()
    expect(state([link({ as_of: old })], 'TributaryTaskFailed')).toEqual(['unknown'])
    expect(state([link({ lag: { known: false, records: 1, seconds: 3, as_of: old } })], 'TributaryLagHigh')).toEqual(['unknown'])
    expect(state([link({ lag: { known: false, records: 1, seconds: 300, as_of: old } })], 'TributaryLagHigh')).toEqual(['pending'])
    expect(state([link({})], 'TributaryDataLost')).toEqual(['not judged here'])
  })
  it('partitions of which no worker says anything may stand, unless their link is stopped', () => {
    const silent = { partitions: { by_state: { active: 2, unassigned: 1 } } }
    for (const rule of ['TributaryPartitionStopped', 'TributaryStalled']) {
      expect(state([link(silent)], rule)).toEqual(['unknown'])
      expect(state([link({ ...silent, connect_state: 'STOPPED' })], rule)).toEqual(['inactive'])
    }
    expect(state([link({ partitions: { total: null, by_state: {} } })], 'TributaryStalled')).toEqual(['unknown'])
    expect(state([link({ partitions: { by_state: { unassigned: 1, refused: 1 } } })], 'TributaryPartitionStopped')).toEqual(['pending'])
  })
  it('nothing is at rest by an answer that is old', () => {
    const rebalance = { state: 'scheduled', unassigned: [{ last_worker: 'w' }], remaining_seconds: null } as unknown as Rebalance
    const judged = (seconds: number, rebalances: Rebalance[], name: string) => new Watch().judge(rules, { ...facts([]), rebalances, receivedAt: now - seconds * 1000 }, now).filter((alert) => alert.rule.name === name).map((alert) => alert.state)
    for (const [rebalances, fresh] of [[[], 'inactive'], [[rebalance], 'pending']] as const) expect([judged(1, [...rebalances], 'TributaryDelayedRebalance'), judged(60, [...rebalances], 'TributaryDelayedRebalance')]).toEqual([[fresh], ['unknown']])
    expect([judged(1, [], 'TributaryNoWorkers'), judged(60, [], 'TributaryNoWorkers')]).toEqual([['inactive'], ['unknown']])
  })
  it('a partition that stands is told whatever its state is called', () => {
    for (const its of ['refused', 'source-gap', 'a-state-of-tomorrow']) expect(state([link({ partitions: { by_state: { [its]: 1 } } })], 'TributaryPartitionStopped')).toEqual(['pending'])
    for (const its of ['retrying', 'end-unknown', 'stalled']) expect(state([link({ partitions: { by_state: { [its]: 1 } } })], 'TributaryPartitionStopped')).toEqual(['inactive'])
  })
})

describe('drift', () => {
  const row = (more: object) => ({ topic: 't', decision: 'match', destination_topic: 'x.t', action: 'exists', partitions: { source: 2, destination: 2, planned: 2 }, settings: [], warnings: [], ...more })
  const kinds = (rows: object[], rights: object | null = null) => deviations('a', { rows, access_rights: rights } as unknown as Preview).map((one) => `${one.kind} ${one.property ?? one.object}`)
  it('a copy as it should be has none, and topics that are not copied neither', () => {
    expect(kinds([row({}), row({ decision: 'excluded', action: null })])).toEqual([])
  })
  it('is what the link would make, grow or set', () => {
    const setting = { key: 'retention.ms', planned: '1', actual: '2', why: 'set on the source' }
    expect(kinds([row({ action: 'create', settings: [setting] }), row({ action: 'grow', partitions: { source: 4, destination: 2, planned: 4 }, settings: [setting] }), row({ action: 'alter', settings: [setting] })]))
      .toEqual(['topic x.t', 'partitions partitions', 'setting retention.ms', 'setting retention.ms'])
  })
  it('what blocks a topic and what cannot be read are told', () => {
    expect(kinds([row({ decision: 'unreadable', action: 'error' }), row({ decision: 'name-collision', action: 'error', warnings: [{ id: 'name-collision', error: true, text: '', fix: '' }] })])).toEqual(['not comparable x.t', 'blocked name-collision'])
    expect(kinds([], { unknown: 'no right' })).toEqual(['not comparable access rights'])
    expect(kinds([], { create: ['r'], delete: [], keep: ['s'], notes: [] })).toEqual(['access right r', 'access right s'])
  })
})

it('in a table of changes a secret is hidden, also beside a reference, and a reference alone is not', () => {
  expect(told(null, true)).toBe('not set')
  expect(told('', true)).toBe('empty')
  expect(told('hunter2', true)).toBe('[hidden]')
  expect(told('${env:A}', true)).toBe('${env:A}')
  expect(told('${env:A}hunter2', true)).toBe('[hidden]')
  expect(told('orders.*', false)).toBe('orders.*')
})

it('a reference is what is made of variables alone, as the worker reads them', () => {
  expect(['${env:A}', ' ${file:/x:y} ', '${env:A}${env:B}', '${env:A}b', 'a${env:A}', '${topic}', '${topic}${env:A}', ''].map(isReference)).toEqual([true, true, true, false, false, false, false, false])
  expect(['src.kafka.ssl.key.password', 'sasl.jaas.config', 'basic.auth.credentials', 'aws.access_key', 'x.apikey', 'ssl.keystore.location', 'topic.regex', 'tasks.max', 'monkey'].map(looksSecret)).toEqual([true, true, true, true, true, false, false, false, false])
})

it('a screen repeats nothing of who does not answer, and tells what it lacks beyond that', () => {
  const missing = (worker_id: string, partitions: number) => ({ worker_id, partitions, reason: '' })
  expect(untold([missing('a', 3), missing('b', 1), missing('c', 2)], [missing('a', 3), missing('b', 9)]).map(({ worker_id }) => worker_id)).toEqual(['b', 'c'])
})

describe('requests', () => {
  it('that read have a deadline, and those that take as long as the clusters need have none', () => {
    expect([deadline({ method: 'GET', path: '/api/v1/overview' }), deadline({ method: 'POST', path: '/api/v1/preview' }), deadline({ method: 'PUT', path: '/connectors/a/pause' })]).toEqual([10_000, null, null])
    expect(deadline({ method: 'GET', path: '/connectors/a/offsets' })).toBeGreaterThan(60_000)
  })
  it('to a worker that is frozen end, and say so', async () => {
    vi.useFakeTimers()
    vi.stubGlobal('fetch', (_: string, { signal }: RequestInit) => new Promise((_, refuse) => signal!.addEventListener('abort', () => refuse(signal!.reason as Error))))
    const caught = get('/api/v1/overview').catch((cause: unknown) => cause)
    await vi.advanceTimersByTimeAsync(10_000)
    const cause = await caught
    expect([cause instanceof ApiError, (cause as ApiError).message]).toEqual([true, 'The worker does not answer within 10 s.'])
    const own = new AbortController()
    const given = get('/api/v1/overview', own.signal).catch((cause: unknown) => cause)
    own.abort()
    expect(await given).toBe(own.signal.reason)
    vi.unstubAllGlobals()
    vi.useRealTimers()
  })
  it('are written with the credentials that this tab has', () => {
    expect(credentials()).toEqual([])
    session.signIn('Bearer x')
    expect(credentials()).toEqual(['-H', '"Authorization: Bearer $TRIBUTARY_TOKEN"'])
    session.signIn('Basic x')
    expect(credentials()[0]).toBe('-u')
    session.signIn(null)
  })
  it('a name that begins with a dash is no option', () => {
    expect([command('delete link', ['-x'], '--offsets'), command('delete link', ['a b'], '--offsets'), command('topics sync', ['a', '-t'])]).toEqual(['tributary delete link --offsets -- -x', "tributary delete link 'a b' --offsets", 'tributary topics sync -- a -t'])
  })
})

it('what changes something is offered only to those of whom it is known that they may', () => {
  const as = (me: WhoAmI | null) => { session.me = me; return session.mayWrite }
  expect([as(null), as({ user: null, role: 'admin' } as WhoAmI), as({ user: 'v', role: 'viewer' } as WhoAmI), as(null)]).toEqual([false, true, false, false])
})

it('a step of the browser that was refused is undone where it is known how far it went', () => {
  expect([stepsBack({ place: 2 }, 3), stepsBack({ place: 5 }, 3), stepsBack(null, 3), stepsBack({ place: 3 }, 3)]).toEqual([1, -2, null, null])
})

it('warnings that were seen are told from others, whatever their order', () => {
  const row = (topic: string, ...ids: string[]) => ({ topic, warnings: ids.map((id) => ({ id, error: id === 'e', text: '', fix: '' })) })
  expect(warningsOf([row('b', 'y', 'x'), row('a', 'x'), row('c'), row('d', 'e')])).toEqual(warningsOf([row('a', 'x'), row('b', 'x', 'y')]))
  expect(warningsOf([row('a', 'x')])).not.toEqual(warningsOf([row('a', 'y')]))
})

it('a draft of a clone is kept beside that of a new link', () => {
  expect(new Set([keyOf('a', null), keyOf(null, 'a'), keyOf(null, null), keyOf(null, 'b')]).size).toBe(4)
})

describe('what is hidden', () => {
  it('is a name and a password in an address, whatever the key is', () => {
    for (const [text, expected] of [
      ['https://al:hunter2@idp:8/x?y', 'https://[hidden]@idp:8/x?y'], ['https://al:hun/t@er2@idp', 'https://[hidden]@idp'],
      ['http://a:hunter2@b,http://c/d', 'http://[hidden]@b,http://c/d'], ['https://idp/x', 'https://idp/x'], ['a@b', 'a@b'], ['://', '://'],
    ] as const) expect(masked(text, false)).toBe(expected)
  })
  it('is a login module with a secret of its own, and none with variables alone', () => {
    const login = (password: string) => `org.apache.kafka.common.security.plain.PlainLoginModule required username="al" password=${password};`
    expect([masked(login('"${env:P}"'), true), masked(login('"hunter2"'), true), masked('a.LoginModule required x="hunter2";', true)]).toEqual([login('"${env:P}"'), '[hidden]', '[hidden]'])
  })
  it('is put back where the text comes back, and only in its own place', () => {
    const before = { 'ssl.key.password': 'hunter2', url: 'http://al:hunter2@r/x', a: '1' }
    expect(concealed(before)).toEqual({ 'ssl.key.password': '[hidden]', url: 'http://[hidden]@r/x', a: '1' })
    expect(unmasked({ ...concealed(before), a: '2' }, before)).toEqual({ ...before, a: '2' })
    expect(unmasked({ url: 'http://[hidden]@other/x', 'b.password': '[hidden]', a: '[hidden]' }, before)).toEqual({ url: 'http://[hidden]@other/x', 'b.password': '[hidden]', a: '[hidden]' })
  })
  it('is hidden in what is answered as well, where the key stands beside the value', () => {
    expect(concealed({ configs: [{ definition: { name: 'x.password' }, value: { name: 'x.password', value: 'hunter2', errors: [] } }] })).toEqual({ configs: [{ definition: { name: 'x.password' }, value: { name: 'x.password', value: '[hidden]', errors: [] } }] })
  })
})

describe('actions', () => {
  beforeEach(() => { vi.stubGlobal('location', { origin: 'http://worker:8083' }) })
  it('hide secrets in what is copied', () => {
    const request = { method: 'PUT', path: '/connectors/a/config', body: { 'x.password': 'hunter2', 'a.url': 'http://al:hunter2@r' } }
    const text = script({ label: '', object: '', cli: '', request }, false)
    expect(text).not.toContain('hunter2')
    expect(text).toContain('[hidden]')
  })
  it('of several requests send none before the one above it has succeeded', () => {
    const lines = script(linkActions.remove('a b'), true).split('\n')
    expect(lines).toEqual([
      'curl -fsS -X PUT http://worker:8083/connectors/a%20b/stop &&',
      `until curl -fsS http://worker:8083/connectors/a%20b/status | grep -q '"state": *"STOPPED"'; do sleep 1; done &&`,
      'curl -fsS -X DELETE http://worker:8083/connectors/a%20b/offsets &&',
      'curl -fsS -X DELETE http://worker:8083/connectors/a%20b',
    ])
    expect(script(linkActions.remove('a b'), false)).toBe('curl -X DELETE http://worker:8083/connectors/a%20b')
  })
  it('that lose what only the destination has ask for the name of the topic', () => {
    expect([linkActions.answer('a', 't', 1, 'recopy', null).confirm, linkActions.answerTopic('a', 't', 'recopy', 2).confirm, linkActions.answer('a', 't', 1, 'append', 4).confirm]).toEqual(['t', 't', undefined])
  })
  it('that a worker offers have the command of their request, and say what they are done to', () => {
    const told = (path: string) => { const { label, object, cli, request } = offered({ label: 'Do it', method: 'POST', path }, 'x'); expect([label, request]).toEqual(['Do it', { method: 'POST', path }]); return [object, cli] }
    expect(told('/connectors/a%2Fb/restart?includeTasks=true')).toEqual(['a/b', 'tributary restart link a/b'])
    expect(told('/connectors/a/tasks/2/restart')).toEqual(['a, task 2', 'tributary restart task a/2'])
    expect(told('/api/v1/links/a/topics/t%3Au/partitions/3:resume')).toEqual(['a, t:u, partition 3', 'tributary resume partition a t:u/3'])
    expect(told('/api/v1/links/a:refresh')).toEqual(['x', 'curl -X POST http://worker:8083/api/v1/links/a:refresh'])
  })
})

describe('what needs somebody', () => {
  const row = (severity: string, object: object, more: object = {}) => ({ severity, object, summary: 'it failed', since: null, explanation: null, actions: [], ...more }) as unknown as Attention
  const task = (number: number, since: string) => row('critical', { kind: 'task', link: 'a', task: number }, { summary: `task ${number} failed`, since })
  it('keeps its key whatever is listed before it', () => {
    const [first] = grouped([task(1, '2')])
    const rows = grouped([task(0, '1'), task(1, '2')])
    expect(rows.map(({ object }) => object.task)).toEqual([0, 1])
    expect(rows[1]!.key).toBe(first!.key)
  })
  it('has a key of its own also where several are of one object', () => {
    const keys = grouped([row('warning', { kind: 'link', link: 'a' }, { summary: 'one' }), row('warning', { kind: 'link', link: 'a' }, { summary: 'two' })]).map(({ key }) => key)
    expect(new Set(keys).size).toBe(2)
  })
  it('says of how many partitions it is, since what is offered is for one', () => {
    const partition = (count: number) => row('critical', { kind: 'partition', link: 'a', topic: 't', partition: 0, count })
    expect([[partition(1)], [partition(3)], [partition(1), partition(1)], [task(1, '1')]].map((rows) => standing(grouped(rows)[0]!))).toEqual([1, 3, 2, 1])
  })
})

it('a partition is copying where its state says so, and in no other state', () => {
  const of = (total: number | null, by_state: Record<string, number>) => copying({ total, by_state })
  expect([of(2, { active: 2 }), of(3, { active: 2, unassigned: 1 }), of(2, { 'source-gap': 2 }), of(0, {}), of(null, {}), copying(null)].map(({ all }) => all)).toEqual([true, false, false, false, false, false])
})

it('a file says what a link begins as in any case, and nothing else', () => {
  expect(['STOPPED', 'paused', 'x', null].map(initialOf)).toEqual(['STOPPED', 'PAUSED', null, null])
})
