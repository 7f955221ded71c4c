// What changes something: a request that Connect's API already has, with its two other spellings.
import { ApiError, asCurl, at, command, get, quote, send, type Request_ } from './api'
import type { ConnectorStatus } from './types'

export interface Action {
  label: string
  /** What it is done to, as the title of its dialog names it. */
  object: string
  request: Request_
  /** The command that does the same. */
  cli: string
  /** What happens and what it costs to undo; asks before it is done. */
  consequence?: string
  /** The name that has to be typed before. */
  confirm?: string
  danger?: boolean
  /** What is done before it, where somebody wants that. */
  also?: Also
}

export interface Also {
  label: string
  /** The same as commands, each of which has to succeed before the next. */
  commands: () => string[]
  cli: string
  /** `did` hears each part that is done. */
  run: (did: (part: string) => void) => Promise<void>
}

/** An action as commands of curl. Of several, none is run before the one above it has succeeded. */
export function script(action: Action, also: boolean): string {
  if (!also || !action.also) return asCurl(action.request)
  return [...action.also.commands(), succeeding(action.request)].join(' &&\n')
}

/** A request in a terminal that fails where it is refused. */
function succeeding(request: Request_): string {
  return asCurl(request).replace(/^curl/, 'curl -fsS')
}

export const linkActions = {
  pause: (name: string): Action => ({
    label: 'Pause', object: name, request: { method: 'PUT', path: at`/connectors/${name}/pause` }, cli: command('pause link', [name]),
  }),
  resume: (name: string): Action => ({
    label: 'Resume', object: name, request: { method: 'PUT', path: at`/connectors/${name}/resume` }, cli: command('resume link', [name]),
  }),
  stop: (name: string): Action => ({
    label: 'Stop', object: name, request: { method: 'PUT', path: at`/connectors/${name}/stop` }, cli: command('stop link', [name]),
    consequence: 'The link stops copying and gives up its tasks. Positions are kept; destination topics are not touched. Resume starts it where it stopped.',
  }),
  restartFailed: (name: string): Action => ({
    label: 'Restart failed', object: name, request: { method: 'POST', path: `${at`/connectors/${name}/restart`}?includeTasks=true&onlyFailed=true` },
    cli: command('restart link', [name], '--failed'),
  }),
  restartAll: (name: string): Action => ({
    label: 'Restart all', object: name, request: { method: 'POST', path: `${at`/connectors/${name}/restart`}?includeTasks=true` },
    cli: command('restart link', [name]),
  }),
  restartTask: (name: string, task: number): Action => ({
    label: 'Restart task', object: `${name}, task ${task}`, request: { method: 'POST', path: at`/connectors/${name}/tasks/${task}/restart` },
    cli: command('restart task', [`${name}/${task}`]),
  }),
  remove: (name: string): Action => ({
    label: 'Delete', object: name, request: { method: 'DELETE', path: at`/connectors/${name}` }, cli: command('delete link', [name]),
    consequence: 'The link and its configuration are deleted. Its positions are kept, so that a link of the same name goes on where this one stopped; destination topics are not touched.',
    confirm: name, danger: true,
    also: {
      label: 'Also delete stored positions: a link of this name would begin anew', cli: command('delete link', [name], '--offsets'),
      commands: () => [
        succeeding({ method: 'PUT', path: at`/connectors/${name}/stop` }),
        `until ${succeeding({ method: 'GET', path: at`/connectors/${name}/status` })} | grep -q '"state": *"STOPPED"'; do sleep 1; done`,
        succeeding({ method: 'DELETE', path: at`/connectors/${name}/offsets` }),
      ],
      run: (did) => forgetPositions(name, did),
    },
  }),
  refresh: (name: string): Action => ({
    label: 'Look for changes now', object: name, request: { method: 'POST', path: `/api/v1/links/${encodeURIComponent(name)}:refresh` },
    cli: command('topics refresh', [name]),
  }),
  syncTopic: (name: string, topic: string): Action => ({
    label: 'Synchronise settings now', object: name, request: { method: 'POST', path: `${at`/api/v1/links/${name}/topics/${topic}`}:sync` },
    cli: command('topics sync', [name, topic]),
    consequence: 'Settings of all topics of this link are compared now, and those of the copies are made alike where the link is to do that.',
  }),
  /** The same to all partitions of a topic that stand. */
  answerTopic: (name: string, topic: string, answer: string, count: number): Action => ({
    label: `${ANSWERS[answer]?.label ?? answer} (${count} partitions)`, object: `${name}, ${topic}`,
    request: { method: 'POST', path: `${at`/api/v1/links/${name}/topics/${topic}`}:resume`, body: { action: answer } },
    cli: command('topics resume', [name, topic], option(answer)),
    consequence: `${ANSWERS[answer]?.consequence ?? ''} This is said to all ${count} partitions of ${topic} that stand.`,
    ...(answer === 'recopy' ? { danger: true, confirm: topic } : {}),
  }),
  answer: (name: string, topic: string, partition: number, answer: string, offset: number | null): Action => {
    return {
      label: ANSWERS[answer]?.label ?? answer, object: `${name}, ${topic}, partition ${partition}`,
      request: {
        method: 'POST', path: `${at`/api/v1/links/${name}/topics/${topic}/partitions/${partition}`}:resume`,
        body: { action: answer, ...(offset === null ? {} : { expected_offset: offset }) },
      },
      cli: command('resume partition', [name, `${topic}/${partition}`], [option(answer), offset === null ? '' : `--expect-offset ${offset}`].filter(Boolean).join(' ')),
      ...(ANSWERS[answer] ? { consequence: ANSWERS[answer].consequence } : {}),
      ...(answer === 'recopy' ? { danger: true, confirm: topic } : {}),
    }
  },
}

/** What a worker offers for a problem. The command is that of the request; where there is none, it is the request itself. */
export function offered({ label, method, path }: { label: string; method: string; path: string }, object: string): Action {
  const request = { method, path }
  const known = (of: Action): Action => ({ ...of, label, request })
  const part = path.split('?')[0]!.split('/').slice(1).map(decodeURIComponent)
  const [first, name, what] = part
  if (method === 'POST' && first === 'connectors' && name !== undefined) {
    if (part.length === 3 && what === 'restart') return known(linkActions.restartAll(name))
    if (part.length === 5 && what === 'tasks' && part[4] === 'restart') return known(linkActions.restartTask(name, Number(part[3])))
  }
  const partition = /^(\d+):resume$/.exec(part[7] ?? '')
  if (method === 'POST' && first === 'api' && part.length === 8 && partition) return known(linkActions.answer(part[3]!, part[5]!, Number(partition[1]), 'resume', null))
  return { label, object, request, cli: asCurl(request) }
}

type Partition = Record<string, unknown>

/** A partition as the command line writes it, where it has Connect's members. */
function place(partition: Partition): string {
  return `${String(partition['topic'] ?? '')}/${String(partition['partition'] ?? '')}`
}

/** What is done to stored positions of a link that is stopped. */
export const positionActions = {
  set: (name: string, partition: Partition, before: Record<string, unknown>, offset: number): Action => ({
    label: 'Set', object: `${name}, ${place(partition)}`, request: { method: 'PATCH', path: at`/connectors/${name}/offsets`, body: { offsets: [{ partition, offset: { ...before, offset } }] } },
    cli: `echo ${quote(`${String(partition['topic'])},${String(partition['partition'])},${offset}`)} > positions.csv && ${command('offsets set', [name], '-f positions.csv')}`,
    consequence: `The stored position of ${place(partition)} changes from ${String(before['offset'])} to ${offset}. When the link is resumed, it goes on there: records in between are copied a second time, or are left out. Where offsets are preserved, the end of the copy counts instead.`,
    danger: true,
  }),
  forget: (name: string, partition: Partition): Action => ({
    label: 'Forget', object: `${name}, ${place(partition)}`, request: { method: 'PATCH', path: at`/connectors/${name}/offsets`, body: { offsets: [{ partition, offset: null }] } },
    cli: command('offsets reset', [name], `--topic=${quote(place(partition))}`),
    consequence: `The stored position of ${place(partition)} is forgotten. When the link is resumed, this partition begins as if it were new.`,
    danger: true,
  }),
}

/** An answer as the command line has it. */
function option(answer: string): string {
  return answer === 'resume' ? '' : `--${answer}`
}

export const ANSWERS: Record<string, { label: string; consequence: string }> = {
  resume: { label: 'Resume', consequence: 'Tries again from the same offset, as it is.' },
  'skip-record': { label: 'Skip this record', consequence: 'Leaves out the refused record and records it as skipped. It cannot be brought back by this link.' },
  continue: { label: 'Continue behind the gap', consequence: 'Goes on with the first record the source still has. What is missing is recorded and stays missing.' },
  append: { label: 'Append the new topic', consequence: 'Copies the re-created source topic from its first record into the same destination topic, behind what is there.' },
  recopy: { label: 'Copy anew', consequence: 'Creates the destination topic again and copies from the source’s log start. What only the destination has is lost.' },
}

/** Forgets all stored positions of a link. It stops it before: one that runs would store its own right after. */
async function forgetPositions(name: string, did: (part: string) => void): Promise<void> {
  await perform({ method: 'PUT', path: at`/connectors/${name}/stop` })
  did('the link was told to stop')
  const until = Date.now() + PATIENCE
  const state = async () => (await get<ConnectorStatus>(at`/connectors/${name}/status`)).connector.state
  while ((await state()) !== 'STOPPED') {
    if (Date.now() > until) throw new ApiError(0, 'It did not stop within 30 s.')
    await new Promise((resume) => setTimeout(resume, 300))
  }
  await perform({ method: 'DELETE', path: at`/connectors/${name}/offsets` })
  did('its stored positions were deleted')
}

/** How long a rebalance is waited for. */
const PATIENCE = 30_000

/** Does it; while a rebalance is in progress, again and again for a while. `waiting` hears the seconds that are left. */
export async function perform<T>(request: Request_, waiting: (seconds: number | null) => void = () => {}): Promise<T> {
  const until = Date.now() + PATIENCE
  for (;;) {
    try {
      const answer = await send<T>(request)
      waiting(null)
      return answer
    } catch (cause) {
      const left = Math.ceil((until - Date.now()) / 1000)
      if (!(cause instanceof ApiError) || !cause.isRebalance || left <= 0) {
        waiting(null)
        throw cause
      }
      waiting(left)
      await new Promise((resume) => setTimeout(resume, 1000))
    }
  }
}
