// Errors of @fastify/static: a path without a file is a 404, however odd the path is.
import type { FastifyError, FastifyInstance } from "fastify";
import { ApiError, notFound, sendProblem } from "./errors.ts";

// The plugin rejects `..` and `//`; the file system rejects NUL, long names and files used as folders.
const noSuchFile = new Set(["FST_STATIC_FORBIDDEN_PATH", "ERR_INVALID_ARG_VALUE", "ENAMETOOLONG", "ENOTDIR"]);

export function registerFileErrors(files: FastifyInstance) {
  files.setErrorHandler<FastifyError>((error, request, reply) =>
    sendProblem(toFileError(error), request, reply),
  );
}

function toFileError(error: FastifyError): FastifyError | ApiError {
  if (noSuchFile.has(error.code)) return notFound("File");
  if (error.statusCode === 412) return new ApiError("stale_version", "The file has another version");
  if (error.statusCode === 416) return new ApiError("validation_failed", "The file has no such range");
  return error;
}
