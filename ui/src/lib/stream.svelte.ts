// The event stream, read with fetch so that it carries credentials. One for the whole page, for what is on the screen:
// what nobody here wants to hear costs the worker nothing.
import { API } from './api'
import { session } from './session.svelte'

type State = 'connecting' | 'open' | 'lost' | 'absent'

/** Without a frame or a comment for so long, the connection is lost. */
const SILENCE = 30_000
/** The longest pause before the next attempt. */
const LONGEST_PAUSE = 30_000
/** How long a screen may take to say what it wants to hear. */
const SETTLING = 400

let state = $state<State>('connecting')
let lastId: string | null = null
/** What the present connection asks for, and how to end it. */
let asked = ''
let turn: (() => void) | null = null
let settling: ReturnType<typeof setTimeout> | undefined

interface Listener {
  channels: Set<string>
  /** Of one link only. */
  link: string | null
  notice: () => void
}
const listeners = new Set<Listener>()

export const stream = {
  get state() {
    return state
  },
}

/** Channels as a client asks for them, and the events that belong to each. */
const CHANNEL: Record<string, string> = {
  link: 'links', topics: 'topics', partition: 'topics', task: 'tasks', worker: 'workers', rebalance: 'workers',
  cluster: 'links', group: 'groups', activity: 'activity', alert: 'alerts',
}

/** What is to be heard, for the address of the stream; `none` is a channel that there is not. */
export function wanted(all: Iterable<{ channels: Set<string>; link: string | null }>, seen: boolean): string {
  const channels = new Set<string>()
  const links = new Set<string | null>()
  if (seen) {
    for (const { channels: its, link } of all) {
      if (its.size) links.add(link)
      for (const channel of its) channels.add(channel)
    }
  }
  const query = new URLSearchParams({ channels: [...channels].sort().join(',') || 'none' })
  const [link] = links
  if (links.size === 1 && link) query.set('link', link)
  return query.toString()
}

function wantedNow(): string {
  return wanted(listeners, document.visibilityState === 'visible')
}

function changed(): void {
  clearTimeout(settling)
  settling = setTimeout(() => { if (asked !== '' && wantedNow() !== asked) turn?.() }, SETTLING)
}

export function onEvents(channels: string[], notice: () => void, link: string | null = null): () => void {
  const listener = { channels: new Set(channels), link, notice }
  listeners.add(listener)
  changed()
  return () => {
    listeners.delete(listener)
    changed()
  }
}

function deliver(event: string): void {
  const channel = CHANNEL[event]
  for (const listener of listeners) {
    if (event === 'reset' || (channel && listener.channels.has(channel))) listener.notice()
  }
}

function frame(text: string): void {
  let event = 'message'
  for (const line of text.split('\n')) {
    if (line.startsWith('event:')) event = line.slice(6).trim()
    if (line.startsWith('id:')) lastId = line.slice(3).trim()
  }
  deliver(event)
}

async function read(body: ReadableStream<Uint8Array<ArrayBuffer>>, heard: () => void): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let buffer = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    heard()
    // What was looked at before holds no end, but for its last character.
    let from = Math.max(0, buffer.length - 1)
    buffer += value.replaceAll('\r\n', '\n')
    let begin = 0
    for (let end = buffer.indexOf('\n\n', from); end >= 0; end = buffer.indexOf('\n\n', from)) {
      const block = buffer.slice(begin, end)
      begin = end + 2
      from = begin
      if (/^(event|data|id):/m.test(block)) frame(block)
    }
    buffer = buffer.slice(begin)
  }
}

/** One connection, until it ends; whether it ended because something else is to be heard. */
async function once(): Promise<boolean> {
  const stop = new AbortController()
  let silence = setTimeout(() => stop.abort(), SILENCE)
  const heard = () => {
    clearTimeout(silence)
    silence = setTimeout(() => stop.abort(), SILENCE)
  }
  let turned = false
  turn = () => {
    turned = true
    stop.abort()
  }
  const now = wantedNow()
  // Frames that were not asked for before are in no ring: the page reads anew by itself.
  if (now !== asked) lastId = null
  asked = now
  const headers: Record<string, string> = { Accept: 'text/event-stream' }
  if (session.authorization) headers.Authorization = session.authorization
  if (lastId) headers['Last-Event-ID'] = lastId
  try {
    const answer = await fetch(`${API}/events?${asked}`, { headers, signal: stop.signal, credentials: 'omit', cache: 'no-store' })
    if (answer.status === 404 || answer.status === 501) {
      state = 'absent'
      return false
    }
    if (!answer.ok || !answer.body) return false
    state = 'open'
    await read(answer.body, heard)
  } catch {
    // A cut connection is told by the state below.
  } finally {
    clearTimeout(silence)
    turn = null
  }
  return turned
}

/** Keeps the stream open for as long as the page lives. */
export async function startStream(): Promise<void> {
  document.addEventListener('visibilitychange', changed)
  let pause = 1000
  for (;;) {
    if (!session.needsCredentials) {
      const turned = await once()
      if (state === 'absent') return
      if (turned) continue
      // After one that was open the next attempt is quick again.
      if (state === 'open') pause = 1000
      state = 'lost'
    }
    await new Promise((resume) => setTimeout(resume, pause * (0.8 + Math.random() * 0.4)))
    pause = Math.min(LONGEST_PAUSE, pause * 2)
  }
}
