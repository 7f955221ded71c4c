// Where the clusters of the map stand: sources left, destinations right, what is both between them.
import type { ClusterRef, Link } from './types'

export interface Node_ {
  id: string
  ref: ClusterRef
  aliases: string[]
  column: number
  x: number
  y: number
}

export interface Edge {
  id: string
  /** The two clusters and the direction; the same for all edges of a bundle that is unfolded. */
  pair: string
  from: Node_
  to: Node_
  links: Link[]
  /** Its place in an unfolded bundle: 0 is the middle. */
  lane: number
  /** The line, and where its label stands. */
  path: string
  x: number
  y: number
}

export interface Picture {
  nodes: Node_[]
  edges: Edge[]
  width: number
  height: number
  /** The size of a cluster: many are drawn smaller. */
  node: { width: number; height: number }
  compact: boolean
}

export const TAG = { width: 156, height: 40 }

/** A cluster is its id; before that is known, its address. */
export function clusterKey(ref: ClusterRef): string {
  return ref.cluster_id ?? `address:${ref.bootstrap ?? ref.alias ?? 'unknown'}`
}

/** More links than this stay one line. */
export const UNFOLDED = 7
/** How far apart the lines of an unfolded bundle bow. */
const LANE = 46

/** `open` is the pair whose links are drawn one by one. */
export function picture(links: Link[], wide: number, open: string | null = null): Picture {
  const nodes = new Map<string, Node_>()
  // A link that has not come so far means the cluster that others have found at the same address.
  const known = new Map<string, string>()
  for (const ref of links.flatMap((link) => [link.source, link.destination])) {
    if (ref.cluster_id) for (const server of (ref.bootstrap ?? '').split(',').filter(Boolean)) known.set(server, ref.cluster_id)
  }
  const node = (ref: ClusterRef) => {
    const elsewhere = (ref.bootstrap ?? '').split(',').map((server) => known.get(server)).find((id) => id !== undefined)
    const id = ref.cluster_id ?? elsewhere ?? clusterKey(ref)
    const found = nodes.get(id) ?? { id, ref, aliases: [], column: 0, x: 0, y: 0 }
    if (ref.alias && !found.aliases.includes(ref.alias)) found.aliases.push(ref.alias)
    nodes.set(id, found)
    return found
  }
  const edges = new Map<string, Edge>()
  // By name: the picture stays as it is while health and rates change.
  for (const link of [...links].sort((left, right) => left.name.localeCompare(right.name))) {
    const from = node(link.source)
    const to = node(link.destination)
    const id = `${from.id}~${to.id}`
    const edge = edges.get(id) ?? { id, pair: id, from, to, links: [], lane: 0, path: '', x: 0, y: 0 }
    edge.links.push(link)
    edges.set(id, edge)
  }
  const all = [...edges.values()]
  columns(nodes, all)
  const used = [...new Set([...nodes.values()].map((each) => each.column))].sort((left, right) => left - right)
  const members = used.map((at) => [...nodes.values()].filter((each) => each.column === at))
  order(members, all)
  const tallest = Math.max(1, ...members.map((each) => each.length))
  const compact = tallest > 9
  const crowded = tallest > 18
  const size = crowded ? { width: 150, height: 21 } : compact ? { width: 150, height: 30 } : { width: 174, height: 54 }
  const gap = compact ? 120 : TAG.width + 32
  // Clusters stay where they are when a bundle is unfolded; only a small picture grows.
  const drawnEdges = all.flatMap((edge) => (edge.pair === open && !compact ? unfolded(edge) : [edge]))
  const lanes = Math.max(1, ...all.filter((edge) => edge.pair === open).map((edge) => Math.min(UNFOLDED, edge.links.length)))
  const height = Math.max(220, tallest * (crowded ? 25 : compact ? 38 : 96) + 24, lanes > 1 ? lanes * LANE + 60 : 0)
  const width = Math.max(wide, members.length * (size.width + gap) - gap + 16)
  const step = members.length > 1 ? (width - size.width - 16) / (members.length - 1) : 0
  members.forEach((column, index) => {
    column.forEach((each, place) => {
      each.x = members.length > 1 ? 8 + index * step : (width - size.width) / 2
      each.y = (height / column.length) * (place + 0.5) - size.height / 2
    })
  })
  const drawn: Picture = { nodes: [...nodes.values()], edges: drawnEdges, width, height, node: size, compact }
  place(drawn)
  return drawn
}

/** One edge for each link, the one in the middle straight. */
function unfolded(edge: Edge): Edge[] {
  if (edge.links.length < 2 || edge.links.length > UNFOLDED) return [edge]
  return edge.links.map((link, index) => ({ ...edge, id: `${edge.id}~${link.name}`, links: [link], lane: index - (edge.links.length - 1) / 2 }))
}

/** Each stands one column behind the furthest that feeds it; an edge that would close a circle does not count. */
function columns(nodes: Map<string, Node_>, edges: Edge[]): void {
  const forward: Edge[] = []
  // Each cluster is passed once, however many ways lead to it.
  const reaches = (from: Node_, to: Node_, passed = new Set<Node_>()): boolean => {
    if (from === to) return true
    if (passed.has(from)) return false
    passed.add(from)
    return forward.some((edge) => edge.from === from && reaches(edge.to, to, passed))
  }
  // What many flow into is further down the stream.
  const fed = (each: Node_) => edges.filter((edge) => edge.to === each).length
  const weight = (edge: Edge) => fed(edge.to) - fed(edge.from)
  for (const edge of [...edges].sort((left, right) => weight(right) - weight(left) || left.id.localeCompare(right.id))) {
    if (!reaches(edge.to, edge.from)) forward.push(edge)
  }
  for (let round = 0; round < nodes.size; round += 1) {
    let moved = false
    for (const { from, to } of forward) {
      if (to.column <= from.column) {
        to.column = from.column + 1
        moved = true
      }
    }
    if (!moved) break
  }
  // Sources stand directly before what they feed.
  for (const each of nodes.values()) {
    const out = forward.filter((edge) => edge.from === each)
    if (out.length && !forward.some((edge) => edge.to === each)) each.column = Math.max(0, Math.min(...out.map((edge) => edge.to.column)) - 1)
  }
}

/** Fewer crossings: by the mean place of the neighbours in the column before. */
function order(members: Node_[][], edges: Edge[]): void {
  members.forEach((column, index) => {
    const name = (each: Node_) => each.aliases[0] ?? each.id
    const before = members[index - 1]
    column.sort((left, right) => name(left).localeCompare(name(right), 'en', { numeric: true }))
    if (!before) return
    const mean = (each: Node_) => {
      const places = edges.filter((edge) => edge.to === each || edge.from === each).map((edge) => before.indexOf(edge.from === each ? edge.to : edge.from)).filter((at) => at >= 0)
      return places.length ? places.reduce((sum, at) => sum + at, 0) / places.length : before.length / 2
    }
    column.sort((left, right) => mean(left) - mean(right))
  })
}

type Point = [number, number]

function bezier([p0, p1, p2, p3]: [Point, Point, Point, Point], t: number): Point {
  const u = 1 - t
  const mix = (axis: 0 | 1) => u * u * u * p0[axis] + 3 * u * u * t * p1[axis] + 3 * u * t * t * p2[axis] + t * t * t * p3[axis]
  return [mix(0), mix(1)]
}

/** Lines, and labels where they cover neither a cluster nor another label. Opposite directions bow apart. */
function place(drawn: Picture): void {
  const taken = drawn.nodes.map((each) => ({ x: each.x + drawn.node.width / 2, y: each.y + drawn.node.height / 2, width: drawn.node.width, height: drawn.node.height }))
  const free = (x: number, y: number) => taken.every((box) => Math.abs(box.x - x) > (box.width + TAG.width) / 2 + 6 || Math.abs(box.y - y) > (box.height + TAG.height) / 2 + 6)
  for (const edge of drawn.edges) {
    const opposed = edge.from !== edge.to && drawn.edges.some((other) => other.from === edge.to && other.to === edge.from)
    const points = line(edge, opposed, drawn)
    edge.path = `M${points[0].join(' ')}C${points[1].join(' ')} ${points[2].join(' ')} ${points[3].join(' ')}`
    // Where many meet their marks would lie on each other: they stand at the end that has fewer.
    const fed = drawn.edges.filter((other) => other.to === edge.to).length
    const feeds = drawn.edges.filter((other) => other.from === edge.from).length
    let [x, y] = bezier(points, drawn.compact ? (fed >= feeds ? 0.12 : 0.88) : 0.5)
    if (!drawn.compact) {
      search: for (const shift of [0, 14, -14, 28, -28, 46, -46]) {
        for (const t of [0.5, 0.4, 0.6, 0.3, 0.7, 0.22, 0.78]) {
          const at = bezier(points, t)
          if (at[1] + shift > TAG.height / 2 && at[1] + shift < drawn.height - TAG.height / 2 && free(at[0], at[1] + shift)) {
            ;[x, y] = [at[0], at[1] + shift]
            break search
          }
        }
      }
      taken.push({ x, y, ...TAG })
    }
    edge.x = x
    edge.y = y
  }
}

function line({ from, to, lane }: Edge, opposed: boolean, drawn: Picture): [Point, Point, Point, Point] {
  const { width, height } = drawn.node
  const middle = height / 2
  if (from === to || Math.abs(from.x - to.x) < 1) {
    const x = from.x + width
    const apart = from === to ? 12 : 0
    const bow = (from === to ? 60 : 90) + lane * 24
    return [[x, from.y + middle - apart], [x + bow, from.y + middle - apart * 3], [x + bow, to.y + middle + apart * 3], [x, to.y + middle + apart]]
  }
  const forward = from.x < to.x
  const shift = (opposed ? (forward ? -11 : 11) : 0) + Math.max(-1, Math.min(1, lane / 2)) * (middle - 10)
  const [x1, x2] = forward ? [from.x + width, to.x] : [from.x, to.x + width]
  const [y1, y2] = [from.y + middle + shift, to.y + middle + shift]
  const reach = Math.abs(x2 - x1) * 0.45 * (forward ? 1 : -1)
  // A line bows three quarters of what its handles do.
  let bow = (opposed ? (forward ? -22 : 22) : 0) + lane * LANE * 1.2
  // One that passes a column goes around what stands there, on the nearer side of the picture.
  if (Math.abs(from.column - to.column) > 1) bow += (y1 + y2) / 2 <= drawn.height / 2 ? -drawn.height * 0.3 : drawn.height * 0.3
  const bound = (y: number) => Math.max(-10, Math.min(drawn.height + 10, y))
  return [[x1, y1], [x1 + reach, bound(y1 + bow)], [x2 - reach, bound(y2 + bow)], [x2, y2]]
}

/** Bytes per second as the width of a line: logarithmic, from a trickle to gigabytes. */
export function lineWidth(bytes: number | null): number {
  if (!bytes || bytes <= 0) return 2
  return Math.min(12, Math.max(2, 2 + (Math.log10(bytes) - 3) * 1.6))
}
