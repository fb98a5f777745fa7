/** Why a node refuses to rebuild an element, as an error that says what to do. */
import { isError, TwinfilerError } from "../error"
import { volumeLetter } from "../protocol/numbers"

/** @param givenUp slot whose element did not hold what was written to it */
export function rebuildError(error: unknown, volume: number, givenUp?: number): unknown {
    const letter = volumeLetter(volume)
    const say = (code: TwinfilerError["code"], text: string) => new TwinfilerError(code, `volume ${letter}: ${text}`)
    if (isError(error, "exists"))
        return say(
            "exists",
            `all elements of the array are there: nothing to rebuild; \`twinfiler array replace ${letter} POSITION\` exchanges one`,
        )
    if (isError(error, "notFound") && givenUp !== undefined)
        return say(
            "notFound",
            `the element in slot ${givenUp} did not hold what a rebuild wrote to it: exchange it, then name the slot with --slot ${givenUp}`,
        )
    if (isError(error, "notFound"))
        return say(
            "notFound",
            "no element is there to rebuild onto: put an empty one into a free slot, or name a slot with --slot; " +
                `\`twinfiler array show ${letter}\` lists them`,
        )
    if (isError(error, "foreign"))
        return say(
            "foreign",
            "the element holds another array, or was left out of this one: give --force to overwrite what is on it",
        )
    if (isError(error, "vetoed"))
        return say(
            "vetoed",
            "another element is missing too: rebuild that one first, there is nothing to make this one from",
        )
    if (isError(error, "ioError"))
        return say(
            "ioError",
            "the element does not hold what is written to it, or the array cannot be written; " +
                `\`twinfiler array show ${letter}\` says whether the slot has failed: then use another element`,
        )
    if (isError(error, "tooSmall"))
        return say("tooSmall", "the element is smaller than the array's: use one at least as large")
    if (isError(error, "busy"))
        return say(
            "busy",
            `a rebuild is under way already: \`twinfiler array rebuild ${letter} --wait\` shows how far it is`,
        )
    if (isError(error, "noSpace"))
        return say("noSpace", "the volume is too full to begin a rebuild: delete files or a snapshot first")
    return error
}
