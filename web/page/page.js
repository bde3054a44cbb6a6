// The first page: members, what they say, what happens, and why. Everything that a member
// says of itself is put into the page as text, never as markup.

const EVENTS_SHOWN_MAX = 200
const RUMORS_SHOWN_MAX = 50
const RULINGS_SHOWN_MAX = 50
const RUMOR_CHARACTERS_MAX = 500 // shown of one
const REFRESH_MS = 250 // at most one request for the members in this time
const RETRY_MS = 5000
const GUESTS_MS = 2000 // nothing is told of guests: while there are some, the members are asked for
const TROUBLES_MS = 5000 // some troubles come and go without an event

const $ = id => document.getElementById(id)
const rows = new Map() // by member id
let chosen = '' // id of the member whose case is shown
let refreshing // the timer, while a refresh is due
let guestsDue // the same, for guests
let rumorsDue // the same, of rumors
let seedsDue // the same, of the seeds

function element(name, text, className) {
  const e = document.createElement(name)
  e.textContent = text
  if (className) e.className = className
  return e
}

// time tells the time of day, and of another day, or if it is to be dated, with its date. It is
// in UTC, as what nodes put into words: times of several machines are compared.
function time(at, dated = false) {
  const [day, clock] = new Date(at).toISOString().slice(0, -5).split('T')
  const today = day === new Date().toISOString().slice(0, 10)
  const e = element('time', today && !dated ? `${clock}Z` : `${day} ${clock}Z`)
  e.dateTime = at
  return e
}

function row(id) {
  const tr = document.createElement('tr')
  for (let i = 0; i < 6; i++) tr.append(document.createElement('td'))
  const button = element('button', '')
  button.type = 'button'
  button.setAttribute('aria-controls', 'case')
  button.onclick = () => choose(chosen === id ? '' : id)
  tr.cells[0].append(button)
  return tr
}

// showMembers keeps the rows that are there, so that focus stays where it is.
function showMembers(members) {
  const body = $('members').tBodies[0]
  const gone = new Set(rows.keys())
  members.forEach((m, i) => {
    gone.delete(m.id)
    if (!rows.has(m.id)) rows.set(m.id, row(m.id))
    const tr = rows.get(m.id)
    const [name, state, role, since, address, incarnation] = tr.cells
    name.firstChild.textContent = m.name
    name.firstChild.title = m.id
    state.replaceChildren(m.state, m.outside ? ', not in' : '', ...(m.away_until ? [', away until ', time(m.away_until)] : []))
    state.className = m.state
    role.textContent = m.dialect ? `${m.role}, guest (${m.dialect})` : m.role
    since.replaceChildren(time(m.since))
    address.textContent = m.addr
    incarnation.textContent = m.incarnation
    if (body.rows[i] !== tr) body.insertBefore(tr, body.rows[i] ?? null)
  })
  for (const id of gone) {
    rows.get(id).remove()
    rows.delete(id)
  }
  if (members.some(m => m.dialect)) guestsDue ??= setTimeout(() => { guestsDue = undefined; refresh() }, GUESTS_MS)
  const counts = {}
  for (const m of members) if (!m.outside) counts[m.state] = (counts[m.state] ?? 0) + 1
  $('counts').textContent = Object.entries(counts).map(([state, n]) => `${n} ${state}`).join(', ')
}

// read gives the JSON at a path, or undefined where the node does not answer.
async function read(path) {
  try {
    const response = await fetch(path)
    return response.ok ? await response.json() : undefined
  } catch {
    return undefined // the stream of events shows that the node is gone
  }
}

// showTroubles shows what the node says that an operator should see to. An element stays, and only its
// text changes: a screen reader tells nothing anew, and what is the same can be copied.
function showTroubles(troubles) {
  const list = $('troubles')
  list.hidden = troubles.length === 0
  troubles.forEach((text, i) => {
    const li = list.children[i] ?? list.appendChild(element('li', text))
    if (li.textContent !== text) li.firstChild.data = text
  })
  while (list.children.length > troubles.length) list.lastElementChild.remove()
}

async function refreshTroubles() {
  if (document.hidden) return
  const self = await read('v1/self')
  if (self) showTroubles(self.troubles)
}

// showAuthority shows the seeds of a network that has some. That no quorum of them decides is one
// of the troubles.
function showAuthority(a) {
  $('seeds').hidden = !a.seeded && !a.foreign
  $('ledger-title').hidden = $('ledger').hidden = !a.seeded
  if (!a.seeded) $('ledger-none').hidden = true
  $('authority').textContent = ''
  if (!a.seeded && !a.foreign) return
  $('authority').textContent = a.foreign ? `seeds of an earlier program (${a.foreign})` : a.waits ? 'no seat yet' : `epoch ${a.epoch}`
  $('authority').className = a.ready ? '' : 'lost'
  $('seeds-quorum').textContent = `${a.quorum} of ${a.seeds.length} decide` + (a.foreign ? '; their lists, which nobody has signed, say which nodes are in' : '')
  $('seeds-table').tBodies[0].replaceChildren(...a.seeds.map(seed => {
    const tr = document.createElement('tr')
    const state = [seed.met && seed.state, seed.note].filter(Boolean).join(', ') || (seed.met ? 'met' : 'not met yet')
    for (const text of [seed.slot, seed.name ?? '', seed.slot === a.leader ? `${state}, leads` : state, seed.addr]) tr.append(element('td', text))
    tr.cells[2].className = seed.state ?? ''
    return tr
  }))
}

// rulingLine makes the line of a ruling in the form of /v1/ledger.
function rulingLine(r) {
  const li = document.createElement('li')
  const by = r.kind === 'leave' ? 'by its own word' : r.ballots.map(b => `${b.seed}: ${b.why}`).join('; ')
  li.append(time(r.at, true), element('strong', `epoch ${r.epoch}`), ` ${r.kind} ${r.member} `, element('span', by, 'quiet'))
  return li
}

async function showSeeds() {
  const a = await read('v1/authority')
  if (!a) return
  showAuthority(a)
  if (!a.seeded) return
  const answer = await read(`v1/ledger?from=${Math.max(1, a.epoch - RULINGS_SHOWN_MAX + 1)}`)
  if (!answer) return
  $('ledger').replaceChildren(...answer.rulings.reverse().map(rulingLine))
  $('ledger-none').hidden = answer.rulings.length > 0
}

async function refresh() {
  refreshing = undefined
  refreshTroubles()
  const answer = await read('v1/members')
  if (answer) showMembers(answer.members)
  if (chosen) await showCase(chosen)
}

async function showCase(id) {
  const file = await read(`v1/members/${encodeURIComponent(id)}/case`)
  if (!file || id !== chosen) return
  $('case-title').textContent = `Why ${file.member.name || id} is ${file.verdict}`
  $('case-summary').textContent = file.summary
  $('case-nearest').textContent = file.nearest ? `What would change it: ${file.nearest}` : ''
  $('case-steps').replaceChildren(...file.steps.map(step => {
    const li = document.createElement('li')
    li.append(time(step.at, true), [step.text, step.detail].filter(Boolean).join(' · '))
    return li
  }))
  $('case').hidden = false
}

async function choose(id) {
  const before = chosen
  chosen = id
  for (const [key, tr] of rows) tr.cells[0].firstChild.setAttribute('aria-expanded', key === id)
  if (id) {
    await showCase(id)
    if (id !== chosen) return
    $('case').focus({ preventScroll: true }) // or it shows the end of a long case
    $('case').scrollIntoView({ block: 'start' })
    return
  }
  $('case').hidden = true
  rows.get(before)?.cells[0].firstChild.focus()
}

// What an event counts, by its kind.
const COUNTED = {
  joined: 'members',
  unreachable: 'relays asked',
  'round-opened': 'observers asked',
  examined: 'pings sent',
  cleared: 'reach it',
  condemned: 'against',
  undecided: 'against',
  'case-opened': 'ballots needed',
  'case-aborted': 'ballots needed',
  ballot: 'needed',
  ruled: 'ballots needed',
  'quorum-lost': 'seeds needed',
  'quorum-back': 'needed',
  'quorum-heard': 'needed',
  'last-quorum': 'seeds needed',
  'roster-proven': 'members',
  resumed: 'members',
  lagged: 'events were lost',
}

// tell says an event in one line.
function tell(e) {
  const about = e.name || e.subject?.slice(0, 8)
  const by = e.by_name || e.by?.slice(0, 8)
  return [
    about,
    e.kind.replaceAll('-', ' ').replace(/^member /, ''),
    by && `by ${by}`,
    e.verdict,
    e.ballot?.verdict,
    e.epoch && `epoch ${e.epoch}`,
    e.kind === 'member-returned' && `was ${e.state}`,
    e.kind === 'refuted' && `was claimed ${e.state}`,
    e.count && `${e.count} ${COUNTED[e.kind] ?? ''}`,
    e.kind === 'unreachable' && `${e.heard ?? 0} of them heard`,
    e.addr,
    e.took && `${e.kind === 'member-away' ? 'for' : 'after'} ${(e.took / 1e6).toFixed(0)} ms`,
    e.text,
    e.before && 'before this node started',
    e.cut_off && 'while this node takes itself for cut off',
  ].filter(Boolean).join(' · ')
}

// rumorLine makes the line of a rumor in the form of /v1/rumors.
function rumorLine(r) {
  const li = document.createElement('li')
  const way = r.hops ? `${r.hops} ${r.hops === 1 ? 'hop' : 'hops'}, from ${r.from_name || r.from.slice(0, 8)}` : 'said here'
  let said = r.text ?? `${atob(r.data).length} bytes`
  if (said.length > RUMOR_CHARACTERS_MAX) said = said.slice(0, RUMOR_CHARACTERS_MAX) + '…'
  li.append(time(r.at), element('strong', r.origin_name || r.origin.slice(0, 8)), ' ', element('span', said, r.text == null ? 'quiet' : 'said'),
    ' ', element('span', `#${r.n}, ${way}`, 'quiet'))
  return li
}

async function showRumors() {
  const answer = await read(`v1/rumors?limit=${RUMORS_SHOWN_MAX}`)
  if (!answer) return
  $('rumors').replaceChildren(...answer.rumors.reverse().map(rumorLine))
  $('rumors-none').hidden = answer.rumors.length > 0
}

// say tells everybody what was typed.
async function say(text) {
  $('say-status').textContent = ''
  try {
    const response = await fetch('v1/rumors', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ text }),
    })
    if (response.ok) $('say-text').value = ''
    else $('say-status').textContent = (await response.json()).detail
  } catch {
    $('say-status').textContent = 'The node does not answer.'
  }
}

// Rumors have a place of their own; links come and go with members, and are
// in v1/topology.
const ASIDE = new Set(['rumor', 'linked', 'unlinked', 'head'])
const OF_SEEDS = new Set(['ruled', 'quorum-lost', 'quorum-back', 'quorum-heard', 'last-quorum', 'quorum-spare', 'roster-proven', 'resumed', 'seat-taken', 'member-suspected', 'member-returned', 'suspect-freed', 'member-joined', 'joined'])

function showEvent(e) {
  if (e.kind === 'rumor') rumorsDue ??= setTimeout(() => { rumorsDue = undefined; showRumors() }, REFRESH_MS)
  if (OF_SEEDS.has(e.kind)) seedsDue ??= setTimeout(() => { seedsDue = undefined; showSeeds() }, REFRESH_MS)
  if (ASIDE.has(e.kind)) return
  const li = document.createElement('li')
  li.append(time(e.at), tell(e))
  $('events').prepend(li)
  while ($('events').children.length > EVENTS_SHOWN_MAX) $('events').lastChild.remove()
  $('events-none').hidden = true
  refreshing ??= setTimeout(refresh, REFRESH_MS)
}

function link(text, lost) {
  $('link').textContent = text
  $('link').className = lost ? 'lost' : ''
}

// follow opens the stream of events. A browser comes back to it by itself,
// unless the node answered with an error, as one with too many streams does.
function follow() {
  const stream = new EventSource('v1/events')
  stream.onopen = () => link('live')
  stream.onmessage = message => showEvent(JSON.parse(message.data))
  stream.addEventListener('snapshot', message => {
    const { self, authority, members } = JSON.parse(message.data)
    document.title = `${self.name} · Hearsay`
    $('self').textContent = `${self.name} · ${self.role} · ${self.addr}`
    showTroubles(self.troubles)
    showMembers(members)
    showAuthority(authority)
    showSeeds()
    $('events-none').hidden = $('events').children.length > 0
    $('talk').hidden = self.role === 'seed' // seeds carry no rumors
    if (self.role !== 'seed') showRumors()
  })
  stream.onerror = () => {
    link('the node does not answer; trying again', true)
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, RETRY_MS)
  }
}

$('case-close').onclick = () => choose('')
$('say').onsubmit = e => {
  e.preventDefault()
  say($('say-text').value)
}
document.addEventListener('keydown', e => {
  if (e.key === 'Escape' && chosen) choose('')
})
document.addEventListener('visibilitychange', refreshTroubles)
setInterval(refreshTroubles, TROUBLES_MS)

follow()
