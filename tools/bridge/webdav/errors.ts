/** A TwinfilerError as the HTTP error that WebDAV clients understand; what is none of ours passes unchanged. */
import {
    BadRequestError,
    ForbiddenError,
    InsufficientStorageError,
    InternalServerError,
    ResourceExistsError,
    ResourceNotFoundError,
    ResourceTreeNotCompleteError,
    ServiceUnavailableError,
} from "nephele"
import { isError, type ErrorCode } from "../error"

const httpErrors: Partial<Record<ErrorCode, new (message: string) => Error>> = {
    notFound: ResourceNotFoundError,
    exists: ResourceExistsError,
    notDirectory: ResourceTreeNotCompleteError,
    isDirectory: ForbiddenError,
    notEmpty: ForbiddenError,
    badName: ForbiddenError,
    readOnly: ForbiddenError,
    usage: BadRequestError,
    noSpace: InsufficientStorageError,
    tooLarge: InsufficientStorageError,
    busy: ServiceUnavailableError,
    timeout: ServiceUnavailableError,
    noNode: ServiceUnavailableError,
    noBus: ServiceUnavailableError,
    noUpload: ServiceUnavailableError,
    replaced: ServiceUnavailableError,
    stale: ServiceUnavailableError,
    closed: ServiceUnavailableError,
}

export function httpError(error: unknown): unknown {
    if (!isError(error)) return error
    return new (httpErrors[error.code] ?? InternalServerError)(error.message)
}

/** The result of `work`, its errors as HTTP errors. */
export async function asHttp<T>(work: () => Promise<T>): Promise<T> {
    try {
        return await work()
    } catch (error) {
        throw httpError(error)
    }
}
