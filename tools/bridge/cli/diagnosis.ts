/**
 * What is wrong with a cabinet and what to do about it, in words: a pure function of what the nodes say, so that the
 * command line, a live page and a test read the same.
 */
import { rivalsText, type NodeState } from "../client"
import type { NodeFigures, VolumeFigures } from "../protocol/answers"
import { beatFlags, modeNames, partnerOf, roleNames, volumeLetter } from "../protocol/numbers"

export interface NodeReport extends NodeState {
    figures?: NodeFigures
    /** Why it did not tell them when it was asked. */
    refusal?: string
}
export interface VolumeReport {
    volume: number
    controller?: number
    figures?: VolumeFigures
    refusal?: string
}
export interface Problem {
    what: string
    todo: string
}
/** Free space below this share is worth a word. */
const nearlyFullShare = 0.05

const activeStandby = modeNames.indexOf("active-standby")

export const roleName = (role: number): string => roleNames[role] ?? `role ${role}`

const isServing = ({ flags }: NodeState): boolean => (flags & (beatFlags.controlsOwn | beatFlags.controlsPartner)) !== 0

const segments = (count: number): string => (count === 1 ? "1 segment" : `${count} segments`)

export function diagnose(nodes: readonly NodeReport[], volumes: readonly VolumeReport[]): Problem[] {
    const problems: Problem[] = []
    const say = (what: string, todo: string) => problems.push({ what, todo })
    const numbers = new Set(nodes.flatMap(({ node }) => [node, partnerOf(node)]))
    for (const number of [...numbers].sort((one, other) => one - other)) {
        const letter = volumeLetter(number)
        const partner = volumeLetter(partnerOf(number))
        const node = nodes.find(state => state.node === number && state.isHeard)
        const rivals = nodes.find(state => state.node === number)?.rivals
        if (rivals) {
            say(
                rivalsText(number, rivals),
                `set NODE, PAIR0 and PAIR1 of each board as docs/WIRING.md says; until then nothing is sent to it`,
            )
            continue
        }
        const controller = volumes.find(({ volume }) => volume === number)?.controller
        if (!node) {
            if (controller === undefined)
                say(
                    `node ${letter} is silent and its partner has not taken volume ${letter} over`,
                    `check the power of ${letter}; \`twinfiler takeover ${partner} --dry-run\` says why ${partner} does not act`,
                )
            else
                say(
                    `node ${letter} is silent; node ${partner} serves volume ${letter} alone, without a copy of its commands`,
                    `check the power, the bus plug and the firmware of ${letter}; when it beats again, ` +
                        `\`twinfiler giveback ${partner}\` hands its volume back`,
                )
            continue
        }
        if (node.refusal)
            say(
                node.refusal,
                `ask again; if it stays so, what this host sends does not reach it, or its program hangs: check the bus cable of this host`,
            )
        if (controller === undefined)
            say(
                `nobody controls volume ${letter}; node ${letter} is ${roleName(node.role)}`,
                `wait some seconds; if it stays so, \`twinfiler takeover ${partner} --dry-run\` says what hinders`,
            )
        else if (controller !== number) {
            const holder = nodes.find(
                state => state.node === partnerOf(number) && state.isHeard && state.mode !== activeStandby,
            )
            const seconds = holder?.figures?.givebackSeconds ?? undefined
            if (holder)
                say(
                    `node ${letter} is up but node ${partner} still controls its volume`,
                    `\`twinfiler giveback ${partner}\` hands it back` +
                        (seconds === undefined ? `` : ` (or wait: it does so by itself in ${seconds} s)`),
                )
        }
        if (
            !(node.flags & beatFlags.partnerHeard) &&
            nodes.some(state => state.node === partnerOf(number) && state.isHeard)
        )
            say(
                `node ${letter} does not hear node ${partner}, though this host hears both`,
                `check the bus cable between the boards`,
            )
        // who controls nothing acknowledges nothing that could be copied
        else if (isServing(node) && node.flags & beatFlags.partnerHeard && !(node.flags & beatFlags.protected)) {
            const other = nodes.find(state => state.node === partnerOf(number) && state.isHeard)
            if (other && other.flags & beatFlags.records)
                say(
                    `not protected: node ${partner} missed copies of what node ${letter} acknowledged a moment ago`,
                    `nothing, if it passes: the nodes make it good by themselves; if it comes again and again, check the bus cable`,
                )
            else
                say(
                    `not protected: writes to node ${letter} are not copied, because node ${partner} does not record them`,
                    `wait for ${partner} to come up; see its role above`,
                )
        }
        if (node.flags & beatFlags.ownFault)
            say(`array ${letter} has a fault`, `\`twinfiler array show ${letter}\` says which element`)
    }
    for (const { volume, controller, figures, refusal } of volumes) {
        // what is its node's fault is told once
        if (refusal && !nodes.some(state => state.node === controller && state.refusal))
            say(refusal, `ask again; if it stays so, \`twinfiler events\` may tell why`)
        if (!figures) continue
        const letter = volumeLetter(volume)
        if (figures.deadElements)
            say(
                `${figures.deadElements} of ${figures.elements} elements of array ${letter} are dead: its data is served, ` +
                    `but another loss would lose it`,
                `\`twinfiler array show ${letter}\` says which; with an empty one in a free slot, ` +
                    `\`twinfiler array rebuild ${letter}\` makes the array whole again`,
            )
        if (figures.damagedSegments)
            say(
                `array ${letter} has bad pages in ${segments(figures.damagedSegments)}, found and not repaired yet` +
                    (figures.deadElements ? `: they cannot be before the array is whole again` : ``),
                `\`twinfiler scrub ${letter} --wait\` reads all again and repairs; \`twinfiler array show ${letter}\` says on ` +
                    `which element they are: if it comes again and again, \`twinfiler array replace ${letter} POSITION\` exchanges it`,
            )
        if (figures.bytesFree < nearlyFullShare * figures.bytesTotal)
            say(
                `volume ${letter} is nearly full: ${figures.bytesFree} of ${figures.bytesTotal} bytes are free`,
                `delete files, or a snapshot that holds much (\`twinfiler snapshot list ${letter}\`)`,
            )
    }
    return problems
}
