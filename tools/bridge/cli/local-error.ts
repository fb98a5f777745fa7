/** What the local disk says, as an error that names the file. */
import { isError, TwinfilerError } from "../error"

export function throwLocal(error: unknown, file: string): never {
    if (isError(error)) throw error
    const { code, message } = error as NodeJS.ErrnoException
    if (code === "ENOENT") throw new TwinfilerError("notFound", `${file}: no such file or directory`)
    if (code === "ENOSPC") throw new TwinfilerError("noSpace", `${file}: the local disk is full`)
    throw new TwinfilerError("ioError", `${file}: ${message}`)
}
