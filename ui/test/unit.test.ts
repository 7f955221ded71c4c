// What the pages compute by themselves.
import { describe, expect, it } from 'vitest'
import { bytes, count, duration, plain } from '../src/lib/format'
import { picture } from '../src/lib/layout'
import { difference, fromProperties, read, spell, toProperties } from '../src/lib/spelling'
import { ordered, toCsv, type Column } from '../src/lib/table'
import type { Link } from '../src/lib/types'

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

describe('tables', () => {
  const columns: Column<{ name: string; lag: number | null }>[] = [
    { id: 'name', title: '', value: (row) => row.name, width: 1 }, { id: 'lag', title: '', value: (row) => row.lag, width: 1 },
  ]
  const rows = [{ name: 'a', lag: null }, { name: '=b', lag: 2 }, { name: 'c,"', lag: 10 }]
  it('what is not known stands last, whichever way', () => {
    expect(ordered(rows, columns[1], true).map((row) => row.lag)).toEqual([10, 2, null])
    expect(ordered(rows, columns[1], false).map((row) => row.lag)).toEqual([2, 10, null])
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
