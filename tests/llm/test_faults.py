"""The table of server errors: whose fault, and what next. Each row is an answer as a server gives it."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clave.llm.faults import LOADING, STOPS, fault_of
from clave.llm.transport import Reply


def error(message, **more):
    return {"error": {"message": message, **more}}


def google(code, message, status, **more):
    return [{"error": {"code": code, "message": message, "status": status, **more}}]


PER_DAY = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
}
PER_MINUTE = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}],
}
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}
GOOGLE_QUOTA = "You exceeded your current quota, please check your plan and billing details."
GROQ = "Rate limit reached for model `llama-3.3-70b-versatile` in organization `org_1` service tier `on_demand` on tokens per "
UPGRADE = " Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing"
AZURE_FILTER = (
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry."
)

ANSWERS = [
    # (server, status, body, what it means)
    ("openai", 400, error("Your request was rejected as a result of our safety system.", code="content_policy_violation"), "refused"),
    (
        "openai",
        400,
        error("Invalid prompt: your prompt was flagged as potentially violating our usage policy.", code="invalid_prompt"),
        "refused",
    ),
    ("openai", 401, error("Incorrect API key provided: sk-1***", type="invalid_request_error", code="invalid_api_key"), "key"),
    ("openai", 401, error("You must be a member of an organization to use the API"), "key"),
    ("openai", 403, error("Country, region, or territory not supported", code="unsupported_country_region_territory"), "key"),
    ("openai", 403, error("Project `proj_1` does not have access to model `gpt-5`", code="model_not_found"), "model"),
    ("openai", 404, error("The model `gpt-9` does not exist or you do not have access to it.", code="model_not_found"), "model"),
    (
        "openai",
        429,
        error(
            "You exceeded your current quota, please check your plan and billing details.",
            type="insufficient_quota",
            code="insufficient_quota",
        ),
        "credit",
    ),
    (
        "openai",
        429,
        error(
            "Rate limit reached for gpt-4o in organization org-1 on requests per min (RPM): Limit 500, Used 500", code="rate_limit_exceeded"
        ),
        "busy",
    ),
    (
        "openai",
        429,
        error("Rate limit reached for gpt-4o-mini on requests per day (RPD): Limit 200, Used 200", code="rate_limit_exceeded"),
        "quota",
    ),
    (
        "openai",
        429,
        error("Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 42000.", code="rate_limit_exceeded"),
        "rejected",
    ),
    (
        "openai",
        429,
        error("Your account is not active, please check your billing details on our website.", code="billing_not_active"),
        "credit",
    ),
    ("openai", 400, error("Billing hard limit has been reached", code="billing_hard_limit_reached"), "credit"),
    ("openai", 403, error("Your organization has been disabled.", code="account_deactivated"), "key"),
    ("openai", 500, error("The server had an error while processing your request. Sorry about that!", type="server_error"), "again"),
    ("openai", 503, error("The engine is currently overloaded, please try again later"), "again"),
    ("openai", 400, error("This model's maximum context length is 8192 tokens.", code="context_length_exceeded"), "rejected"),
    ("azure", 400, error(AZURE_FILTER, code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}), "refused"),
    ("azure", 404, error("The API deployment for this resource does not exist.", code="DeploymentNotFound"), "model"),
    ("azure", 401, {"statusCode": 401, "message": "Unauthorized. Access token is missing, invalid or expired."}, "key"),
    ("azure", 401, error("Access denied due to invalid subscription key or wrong API endpoint.", code="401"), "key"),
    ("azure", 404, {"statusCode": 404, "message": "Resource not found"}, "address"),
    (
        "azure",
        429,
        error("Requests to the ChatCompletions_Create Operation have exceeded token rate limit. Please retry after 6 seconds.", code="429"),
        "busy",
    ),
    ("azure", 408, error("The operation was timeout.", code="Timeout"), "again"),
    (
        "anthropic",
        400,
        error("Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.", type="invalid_request_error"),
        "credit",
    ),
    ("anthropic", 401, error("invalid x-api-key", type="authentication_error"), "key"),
    ("anthropic", 403, error("Your API key does not have permission to use the specified resource.", type="permission_error"), "key"),
    ("anthropic", 404, error("model: claude-9", type="not_found_error"), "model"),
    ("anthropic", 413, error("Request exceeds the maximum allowed number of bytes.", type="request_too_large"), "rejected"),
    ("anthropic", 529, error("Overloaded", type="overloaded_error"), "again"),
    ("anthropic", 400, error("Output blocked by content filtering policy", type="invalid_request_error"), "refused"),
    ("mistral", 401, {"detail": "Unauthorized"}, "key"),
    ("mistral", 401, {"message": "Unauthorized", "request_id": "1"}, "key"),
    (
        "mistral",
        400,
        {"object": "error", "message": "Invalid model: mistral-nano", "type": "invalid_model", "param": None, "code": "1500"},
        "model",
    ),
    (
        "mistral",
        429,
        {"object": "error", "message": "Service tier capacity exceeded for this model.", "type": "invalid_request_error", "code": "3505"},
        "busy",
    ),
    (
        "mistral",
        422,
        {
            "object": "error",
            "message": {
                "detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": 1}]
            },
        },
        "rejected",
    ),
    ("mistral", 503, {"object": "error", "message": "Service unavailable.", "type": "unreachable_backend", "code": "1100"}, "busy"),
    (
        "groq",
        429,
        error(
            GROQ + "day (TPD): Limit 100000, Used 97050. Please try again in 9m38.016s." + UPGRADE,
            type="tokens",
            code="rate_limit_exceeded",
        ),
        "quota",
    ),
    (
        "groq",
        429,
        error(
            GROQ + "minute (TPM): Limit 12000, Used 4437. Please try again in 11.455s." + UPGRADE, type="tokens", code="rate_limit_exceeded"
        ),
        "busy",
    ),
    (
        "groq",
        413,
        error("Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 7000", code="rate_limit_exceeded"),
        "rejected",
    ),
    (
        "groq",
        400,
        error("Failed to generate JSON. Please adjust your prompt. See 'failed_generation'.", code="json_validate_failed"),
        "again",
    ),
    ("groq", 400, error("The model `mixtral` has been decommissioned and is no longer supported.", code="model_decommissioned"), "model"),
    ("groq", 400, error("Organization has been restricted. Please reach out to support.", code="organization_restricted"), "key"),
    ("groq", 498, error("Flex tier capacity exceeded"), "again"),
    ("together", 402, error("Credit limit exceeded, please add a payment method", type="credit_limit", code=None), "credit"),
    (
        "together",
        404,
        error("Unable to access model x. Please visit the list of models.", type="invalid_request_error", code="model_not_available"),
        "model",
    ),
    (
        "together",
        422,
        error("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097.", type="invalid_request_error"),
        "rejected",
    ),
    ("openrouter", 402, error("Insufficient credits. Add more using https://openrouter.ai/credits", code=402), "credit"),
    (
        "openrouter",
        403,
        error(
            "The provider moderates this model.", code=403, metadata={"reasons": ["violence"], "flagged_input": "my account is suspended"}
        ),
        "refused",
    ),
    ("openrouter", 404, error("No endpoints found for nobody/nothing.", code=404), "model"),
    (
        "openrouter",
        404,
        error("No endpoints available matching your guardrail restrictions and data policy. Configure: …", code=404),
        "model",
    ),
    ("openrouter", 400, error("nobody/nothing is not a valid model ID", code=400), "model"),
    ("openrouter", 429, error("Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 requests", code=429), "quota"),
    (
        "openrouter",
        429,
        error("Provider returned error", code=429, metadata={"raw": "m is temporarily rate-limited upstream. Please retry shortly."}),
        "again",
    ),
    ("openrouter", 200, error("Provider returned error", code=502, metadata={"raw": "upstream connect error"}), "again"),
    (
        "openrouter",
        200,
        error("Provider returned error", code=400, metadata={"raw": '{"error": "the input was flagged by moderation"}'}),
        "refused",
    ),
    ("gemini", 400, google(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT"), "key"),
    ("gemini", 400, google(400, "User location is not supported for the API use.", "FAILED_PRECONDITION"), "key"),
    ("gemini", 403, google(403, "Your API key was reported as leaked. Please use another API key.", "PERMISSION_DENIED"), "key"),
    ("gemini", 404, google(404, "models/gemini-9 is not found for API version v1main", "NOT_FOUND"), "model"),
    ("gemini", 429, google(429, GOOGLE_QUOTA, "RESOURCE_EXHAUSTED", details=[PER_DAY, RETRY]), "quota"),
    ("gemini", 429, google(429, GOOGLE_QUOTA, "RESOURCE_EXHAUSTED", details=[PER_MINUTE, RETRY]), "busy"),
    (
        "gemini",
        429,
        google(
            429, GOOGLE_QUOTA + " * Quota exceeded for metric: requests, limit: 0, model: m Please retry in 45.5s.", "RESOURCE_EXHAUSTED"
        ),
        "quota",
    ),
    ("gemini", 429, google(429, "Resource has been exhausted (e.g. check quota).", "RESOURCE_EXHAUSTED"), "busy"),
    ("gemini", 503, google(503, "The model is overloaded. Please try again later.", "UNAVAILABLE"), "again"),
    ("gemini", 504, google(504, "Deadline expired before operation could complete.", "DEADLINE_EXCEEDED"), "again"),
    ("deepseek", 400, error("Content Exists Risk", type="invalid_request_error", code="invalid_request_error"), "refused"),
    ("deepseek", 400, error("Model Not Exist", type="invalid_request_error", code="invalid_request_error"), "model"),
    ("deepseek", 402, error("Insufficient Balance", type="unknown_error", code="invalid_request_error"), "credit"),
    ("deepseek", 401, error("Authentication Fails (no such user)", type="authentication_error"), "key"),
    (
        "dashscope",
        400,
        error(
            "<400> InternalError.Algo.DataInspectionFailed: Input text data may contain inappropriate content.",
            code="data_inspection_failed",
        ),
        "refused",
    ),
    ("dashscope", 400, error("Access denied, please make sure your account is in good standing.", code="Arrearage"), "credit"),
    ("moonshot", 400, error("The request was rejected because it was considered high risk", type="content_filter"), "refused"),
    (
        "moonshot",
        429,
        error("Your account org-1 is suspended, please check your plan and billing details", type="exceeded_current_quota_error"),
        "key",
    ),
    ("zhipu", 400, error("系统检测到输入或生成内容可能包含不安全或敏感内容", code="1301"), "refused"),
    ("zhipu", 429, error("您的账户已欠费，请充值后重试", code="1113"), "credit"),
    ("xai", 403, error("Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"), "refused"),
    ("xai", 400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***."}, "key"),
    ("ollama", 404, error("model 'qwen9' not found, try pulling it first", type="not_found_error"), "model"),
    ("ollama", 503, error("server busy, please try again. maximum pending requests exceeded"), "again"),
    ("ollama", 400, {"error": "json: cannot unmarshal object into Go struct field"}, "rejected"),
    (
        "vllm",
        404,
        {"object": "error", "message": "The model `m` does not exist.", "type": "NotFoundError", "param": "model", "code": 404},
        "model",
    ),
    (
        "vllm",
        400,
        {"object": "error", "message": "max_tokens must be at least 1, got -186.", "type": "BadRequestError", "code": 400},
        "rejected",
    ),
    (
        "vllm",
        404,
        error("The model `nope` does not exist. Valid aliases: smollm2.", type="NotFoundError", param="model", code=404),
        "model",
    ),
    (
        "vllm",
        400,
        error(
            "This model's maximum context length is 4096 tokens. However, your prompt contains at least 4097 input tokens, which exceeds "
            "this limit even without any output tokens. Please reduce the length of the input prompt. (parameter=input_tokens, value=4097)",
            type="BadRequestError",
            param="input_tokens",
            code=400,
        ),
        "rejected",
    ),
    ("transformers serve", 400, {"detail": "Server is pinned to '/models/smollm2'; requested 'nope'."}, "model"),
    ("transformers serve", 422, {"detail": "Unexpected fields in the request: {'weight'}"}, "rejected"),
    ("fastchat", 400, {"object": "error", "message": "Only vicuna-7b&&alpaca-13b allowed now, your model nope", "code": 40301}, "model"),
    ("llama-swap", 400, {"error": "could not find real modelID for nope"}, "model"),
    ("llama-swap", 404, b"could not find suitable inference handler for nope", "model"),
    ("a server of one model", 400, error("Model mismatch: expected smollm2, got nope"), "model"),
    ("a server of one model", 404, error("This server only serves smollm2"), "model"),
    ("a server of one model", 422, {"detail": [{"loc": ["body", "model"], "msg": "Input should be 'smollm2'", "input": "nope"}]}, "model"),
    ("llmock", 429, error("Rate limit exceeded.", type="rate_limit_error", code="rate_limit_exceeded"), "busy"),
    ("aimock", 500, error("Chaos: request dropped", type="server_error", code="chaos_drop"), "again"),
    ("vllm", 404, {"detail": "Not Found"}, "address"),
    ("vllm", 401, {"error": "Unauthorized"}, "key"),
    ("vllm", 500, b"Internal Server Error", "again"),
    ("llama.cpp", 503, error("Loading model", type="unavailable_error", code=503), "busy"),
    ("llama.cpp", 401, error("Invalid API Key", type="authentication_error", code=401), "key"),
    ("llama.cpp", 501, error("This server does not support chat completions.", type="not_supported_error", code=501), "address"),
    (
        "llama.cpp",
        400,
        error(
            "request (20031 tokens) exceeds the available context size (4096 tokens), try increasing it",
            code=400,
            type="exceed_context_size_error",
            n_prompt_tokens=20031,
            n_ctx=4096,
        ),
        "rejected",
    ),
    (
        "llama-cpp-python",
        400,
        error(
            "This model's maximum context length is 4096 tokens. However, you requested 20071 tokens (20031 in the messages, 40 in the "
            "completion). Please reduce the length of the messages or completion.",
            type="invalid_request_error",
            param="messages",
            code="context_length_exceeded",
        ),
        "rejected",
    ),
    ("openai", 404, error("Invalid URL (POST /v1/v1/chat/completions)", type="invalid_request_error"), "address"),
    ("llama-cpp-python", 500, error("Requested tokens (2100) exceed context window of 2048", type="internal_server_error"), "again"),
    (
        "lm studio",
        404,
        error("No models loaded. Please load a model in the developer page.", type="invalid_request_error", code="model_not_found"),
        "model",
    ),
    ("ollama", 200, {"error": "model 'x' not found"}, "model"),
    ("a gateway", 200, {"detail": "Invalid API key provided"}, "key"),
    ("zhipu", 200, {"code": 1113, "msg": "账户余额不足", "success": False}, "credit"),
    ("minimax", 200, {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}, "choices": None}, "credit"),
    ("a proxy", 201, {"error": "the upstream is away"}, "again"),
    ("a proxy", 999, b"", "again"),
    ("lm studio", 200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"}, "address"),
    ("tgi", 422, {"error": "Input validation error: `inputs` must have less than 1024 tokens.", "error_type": "validation"}, "rejected"),
    (
        "tgi",
        200,
        {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096", "error_type": "validation"},
        "rejected",
    ),
    ("tgi", 429, {"error": "Model is overloaded", "error_type": "overloaded"}, "again"),
    (
        "litellm",
        400,
        error("Budget has been exceeded! Current cost: 26.075, Max budget: 0.25", type="budget_exceeded", code="400"),
        "credit",
    ),
    ("litellm", 429, error("ExceededBudget: End User=a over budget. Spend=0.0008, Budget=0.0001", type="budget_exceeded"), "credit"),
    ("litellm", 400, error("Violated guardrail policy", type="None", code="400"), "refused"),
    ("portkey", 446, error("The guardrail checks defined in the config failed.", type="hooks_failed"), "refused"),
    ("cloudflare", 503, b"<html><head><title>503 Service Temporarily Unavailable</title></head></html>", "again"),
    ("cloudflare", 524, b"error code: 524", "again"),
    ("nginx", 413, b"<html><head><title>413 Request Entity Too Large</title></head></html>", "rejected"),
    ("nginx", 404, b"<html><head><title>404 Not Found</title></head></html>", "address"),
    ("nginx", 405, b"<html><head><title>405 Not Allowed</title></head></html>", "address"),
    ("a proxy", 407, b"Proxy Authentication Required", "key"),
    ("a login page", 200, b"<!doctype html><html><title>Sign in</title></html>", "address"),
    ("a redirect", 308, b"", "address"),
    ("half an answer", 200, b'{"id": "c", "choi', "again"),
    ("a list", 200, [1, 2], "again"),
    (
        "cohere trial",
        429,
        {
            "message": "You are using a Trial key, which is limited to 1000 API calls / month. You can continue "
            "to use the Trial key for free or upgrade to a Production key with higher rate limits at "
            "'https://dashboard.cohere.com/api-keys'. Contact us on 'https://discord.gg/XW44jPfYJu' or "
            "email us at support@cohere.com with any questions"
        },
        "quota",
    ),
    (
        "cohere trial/min",
        429,
        {
            "message": "You are using a Trial key, which is limited to 10 API calls / minute. You can continue to "
            "use the Trial key for free or upgrade to a Production key"
        },
        "busy",
    ),
    ("free tier exceeded", 429, {"error": {"message": "Free tier quota for this month has been used"}}, "credit"),
    (
        "hf credits",
        402,
        {
            "error": "You have exceeded your monthly included credits for Inference Providers. "
            "Subscribe to PRO to get 20x more monthly included credits."
        },
        "credit",
    ),
    (
        "github models",
        429,
        {
            "error": {
                "message": "Rate limit of 150 per 86400s exceeded for UserByModelByDay. Please wait 49321 seconds before retrying.",
                "code": "RateLimitReached",
            }
        },
        "quota",
    ),
    (
        "github models min",
        429,
        {
            "error": {
                "message": "Rate limit of 15 per 60s exceeded for UserByModelByMinute. Please wait 31 seconds before retrying.",
                "code": "RateLimitReached",
            }
        },
        "busy",
    ),
    ("ollama cloud weekly", 429, {"error": "you've reached your weekly usage limit, please upgrade"}, "quota"),
    (
        "openrouter key total",
        403,
        {"error": {"message": "Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys", "code": 403}},
        "quota",
    ),
    (
        "openrouter temp",
        429,
        {
            "error": {
                "message": "Provider returned error",
                "code": 429,
                "metadata": {
                    "raw": "z-ai/glm is temporarily rate-limited upstream. Please retry shortly, or add your "
                    "own key to accumulate your rate limits",
                    "provider_name": "X",
                },
            }
        },
        "again",
    ),
    ("bedrock", 400, {"message": "The provided model identifier is invalid."}, "model"),
    (
        "bedrock err",
        400,
        {"error": {"message": "The provided model identifier is invalid.", "type": "invalid_request_error", "code": "validation_error"}},
        "model",
    ),
    (
        "bedrock throughput",
        400,
        {
            "message": "Invocation of model ID anthropic.claude-sonnet-4 with on-demand throughput isn’t "
            "supported. Retry your request with the ID or ARN of an inference profile that contains this model."
        },
        "model",
    ),
    (
        "bedrock eol",
        404,
        {"message": "This model version has reached the end of its life. Please refer to the AWS documentation for more details."},
        "model",
    ),
    ("bedrock throttling 400", 400, {"error": {"message": "ThrottlingException: Rate exceeded", "code": "ThrottlingException"}}, "busy"),
    ("bedrock region", 400, {"message": "The model is not supported in this region"}, "model"),
    ("bedrock toolong", 400, {"message": "Input is too long for requested model."}, "rejected"),
    (
        "azure dep",
        404,
        {
            "error": {
                "message": "The API deployment for this resource does not exist. If you created the deployment within "
                "the last 5 minutes, please wait a moment and try again.",
                "code": "DeploymentNotFound",
            }
        },
        "model",
    ),
    (
        "azure F0",
        429,
        {
            "error": {
                "message": "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version have "
                "exceeded call rate limit of your current AIServices F0 pricing tier. Please retry after "
                "86400 seconds.",
                "code": "429",
            }
        },
        "quota",
    ),
    ("azure apiver400", 400, {"error": {"message": "API version not supported", "code": "BadRequest"}}, "address"),
    (
        "azure op",
        400,
        {
            "error": {
                "message": "The chatCompletion operation does not work with the specified model, "
                "gpt-35-turbo-instruct. Please choose different model and try again.",
                "code": "OperationNotSupported",
            }
        },
        "model",
    ),
    ("azure unavailable model", 400, {"error": {"message": "Unavailable model: gpt-x", "code": "unavailable_model"}}, "model"),
    (
        "openai access_term",
        400,
        {
            "error": {
                "message": "Your access was terminated due to violation of our policies, please check your email for more information.",
                "type": "access_terminated",
                "code": "access_terminated",
            }
        },
        "key",
    ),
    (
        "anthropic usage",
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "You have reached your specified API usage limits. You will regain access on 2025-09-01 at 00:00 UTC.",
            },
        },
        "quota",
    ),
    (
        "gemini retired",
        404,
        [{"error": {"message": "Gemini 1.0 Pro is no longer available.", "code": 404, "status": "NOT_FOUND"}}],
        "model",
    ),
    (
        "gemini prepay",
        429,
        [
            {
                "error": {
                    "message": "Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing.",
                    "code": 429,
                    "status": "RESOURCE_EXHAUSTED",
                }
            }
        ],
        "credit",
    ),
    (
        "mistral monthly",
        429,
        {"object": "error", "message": "Monthly token limit exceeded", "type": "rate_limited", "code": "1300"},
        "quota",
    ),
    (
        "groq model terms",
        400,
        {
            "error": {
                "message": "The model `x` requires terms acceptance. Please have the org admin accept the terms at "
                "https://console.groq.com",
                "type": "invalid_request_error",
                "code": "model_terms_required",
            }
        },
        "model",
    ),
    (
        "dashscope free",
        403,
        {
            "error": {
                "message": "The free tier of the model has been exhausted. If you wish to continue access the model "
                'on a paid basis, please disable the "use free tier only" mode in the management console.',
                "code": "AllocationQuota.FreeTierOnly",
            }
        },
        "credit",
    ),
    ("zhipu conc", 429, {"error": {"message": "您的账户已达到速率限制，请您控制请求频率", "code": "1302"}}, "busy"),
    ("zhipu 1308", 429, {"error": {"message": "已达到 5 小时的使用上限。您的限额将在 2026-01-01 重置", "code": "1308"}}, "quota"),
    ("zhipu 1211", 400, {"error": {"message": "模型不存在，请检查模型代码。", "code": "1211"}}, "model"),
    ("siliconflow disabled", 403, {"code": 30003, "message": "Model disabled.", "data": None}, "model"),
    (
        "volc limit",
        429,
        {
            "error": {
                "message": "Your account has reached the set inference limit for the model, and the model service has been paused.",
                "code": "SetLimitExceeded",
            }
        },
        "quota",
    ),
    (
        "xai newteam",
        403,
        {"code": "The caller does not have permission", "error": "Your newly created team doesn't have any credits or licenses yet."},
        "credit",
    ),
    (
        "cerebras day",
        429,
        {
            "message": "Tokens per day limit exceeded - too many tokens processed.",
            "type": "too_many_tokens_error",
            "param": "quota",
            "code": "token_quota_exceeded",
        },
        "quota",
    ),
    (
        "cerebras min",
        429,
        {
            "message": "Tokens per minute limit exceeded - too many tokens processed.",
            "type": "too_many_tokens_error",
            "param": "quota",
            "code": "token_quota_exceeded",
        },
        "busy",
    ),
    (
        "nvidia 410",
        410,
        {"title": "Gone", "status": 410, "detail": "The model 'x' has reached its end of life on 2025-01-01 and is no longer available."},
        "model",
    ),
    (
        "cloudflare 7000",
        400,
        {"errors": [{"code": 7000, "message": "No route for that URI"}], "success": False, "result": None, "messages": []},
        "address",
    ),
    (
        "cloudflare neurons",
        429,
        {
            "errors": [{"code": 4006, "message": "you have used up your daily free allocation of 10,000 neurons, please upgrade"}],
            "success": False,
        },
        "quota",
    ),
    (
        "ollama mem",
        500,
        {"error": {"message": "model requires more system memory (5.6 GiB) than is available (2.4 GiB)", "type": "api_error"}},
        "model",
    ),
    ("ollama chat", 400, {"error": {"message": '"nomic-embed-text" does not support chat', "type": "invalid_request_error"}}, "model"),
    (
        "lmstudio nomodels",
        400,
        {"error": "Multiple models are loaded. Please specify a model by providing a 'model' field in the request body"},
        "model",
    ),
    ("lmstudio fail", 400, {"error": 'Failed to load model "foo". Error: Error loading model.'}, "model"),
    (
        "one-api en",
        503,
        {
            "error": {
                "message": "No available channel for model foo under group default (distributor)",
                "type": "new_api_error",
                "code": "model_not_found",
            }
        },
        "model",
    ),
    ("one-api quota", 403, {"error": {"message": "用户额度不足", "type": "one_api_error"}}, "credit"),
    ("apim quota", 403, {"statusCode": 403, "message": "Out of call volume quota. Quota will be replenished in 5.04:13:54."}, "quota"),
    ("apim rate", 429, {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 17 seconds."}, "again"),
    ("ai21", 422, {"detail": "Unsupported model"}, "model"),
    (
        "upstage",
        404,
        {"error": {"message": "The requested model is invalid or no longer available", "code": "invalid_request_body"}},
        "model",
    ),
    (
        "databricks ratelimit0",
        403,
        {
            "error_code": "PERMISSION_DENIED",
            "message": "PERMISSION_DENIED: The endpoint is temporarily disabled due to a Databricks-set rate limit of 0.",
        },
        "quota",
    ),
    (
        "watsonx",
        403,
        {
            "errors": [{"code": "token_quota_reached", "message": "This plan (lite) has reached the monthly token quota"}],
            "trace": "1",
            "status_code": 403,
        },
        "quota",
    ),
    ("200 439 iflow", 200, {"status": "439", "msg": "Your API Token has expired.", "body": None}, "key"),
    ("200 ok null", 200, {"status": "449", "msg": "You exceeded your current rate limit", "body": None}, "busy"),
    ("a model", 500, error("The model produced invalid content. Consider modifying your prompt."), "again"),
    ("openai", 400, error("Invalid 'messages[1].content': string too long.", code="string_above_max_length"), "rejected"),
    ("openrouter", 200, {"choices": [{"error": {"code": 502, "message": "Provider disconnected"}, "finish_reason": "error"}]}, "again"),
    (
        "openrouter",
        200,
        {"choices": [{"error": {"code": 403, "message": "Your input was flagged"}, "message": {"content": ""}}]},
        "refused",
    ),
    ("a gateway", 200, {"error": {"message": "the upstream broke off"}, "choices": [{"message": {"content": "{}"}}]}, "again"),
    ("a gateway", 200, {"detail": "Not authenticated"}, "key"),
    ("a gateway", 503, error("The model m is not available at the moment"), "busy"),
    ("a gateway", 500, error("The model does not exist in this worker's memory yet"), "again"),
    ("a gateway", 429, error("Each model may be asked 20 times per minute"), "busy"),
    ("vllm", 400, error("'response_format' of type 'json_schema' is not supported by this model"), "rejected"),
    ("groq", 422, error("temperature is not supported for this model"), "rejected"),
    ("a proxy", 204, b"", "again"),
    ("a proxy", 200, b" \n", "again"),
]


def reply(status, body, headers=None):
    return Reply(status, headers or {}, body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(("server", "status", "body", "kind"), ANSWERS, ids=[f"{a[0]}-{a[1]}-{k}" for k, a in enumerate(ANSWERS)])
def test_whose_fault_it_is(server, status, body, kind):
    assert fault_of(reply(status, body)).kind == kind


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (error("it is broken"), "it is broken"),
        ([error("it is broken")], "it is broken"),
        ({"error": "it is broken"}, "it is broken"),
        ({"errors": [{"message": "it is broken"}]}, "it is broken"),
        ({"detail": "it is broken"}, "it is broken"),
        ({"detail": [{"loc": ["body", "seed"], "msg": "extra", "input": "secret"}]}, "body.seed: extra"),
        ({"object": "error", "message": {"detail": [{"loc": ["body", "n"], "msg": "extra"}]}}, "body.n: extra"),
        ({"message": "it is broken"}, "it is broken"),
        (error("Provider returned error", metadata={"raw": "it is broken"}), "Provider returned error; raw: it is broken"),
        (b"it is broken", "it is broken"),
        (b"<html><h1>it is &quot;broken&quot;</h1>" + b"x" * 5000, 'it is "broken"'),
        (b"", "it says nothing more"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_the_servers_words_are_kept(body, words):
    assert fault_of(reply(500, body)).reason == words


def test_a_stream_is_told_as_one():
    fault = fault_of(reply(200, b'data: {"id": 1}\n\n', {"Content-Type": "text/event-stream"}))
    assert (fault.kind, "stream" in fault.reason) == ("rejected", True)


@pytest.mark.parametrize(
    ("headers", "kind", "wait"),
    [
        ({"Retry-After": "3"}, "busy", 3),
        ({"retry-after-ms": "250", "Retry-After": "1"}, "busy", 0.25),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, "busy", 0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}, "busy", 30),  # by the server's clock
        ({"Retry-After": "63120"}, "quota", 63120),
        ({"Retry-After": "soon"}, "busy", None),
        ({"Retry-After": "-1"}, "busy", None),
        ({"Retry-After": "inf"}, "busy", None),
        ({}, "busy", None),
    ],
)
def test_how_long_the_server_wants_to_be_left_alone(headers, kind, wait):
    fault = fault_of(reply(429, error("slow down"), headers))
    assert (fault.kind, fault.wait) == (kind, wait)
    assert ("17.5 hours" in fault.reason) == (kind == "quota")


def test_google_tells_the_wait_in_the_body():
    assert fault_of(reply(429, google(429, GOOGLE_QUOTA, "RESOURCE_EXHAUSTED", details=[PER_MINUTE, RETRY]))).wait == 17


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        (error("Loading model", type="unavailable_error", code=503), LOADING),  # llama.cpp
        ({"error": "Model gpt2 is currently loading", "estimated_time": 20.25}, 20.25),  # Hugging Face
        (error("Service unavailable.", type="server_error", code="service_unavailable"), None),  # llmock
    ],
)
def test_a_model_that_is_being_loaded_is_waited_for(body, wait):
    fault = fault_of(reply(503, body))
    assert (fault.kind, fault.wait) == ("busy", wait)


@pytest.mark.parametrize("words", ["Your account has been suspended", "incorrect api key", "your credit balance"])
def test_a_server_that_repeats_the_text_does_not_end_the_run(words):
    """What was sent may say anything; it is the server's own words that count."""
    assert fault_of(reply(400, error(f"cannot read: {words}"))).kind in STOPS
    assert fault_of(reply(400, error(f"cannot read: {words}")), asked=f"The landlord wrote: {words}!").kind == "rejected"


def test_an_answer_is_no_fault():
    assert fault_of(reply(200, {"choices": [{"message": {"content": "fine"}}]})) is None
    assert fault_of(reply(200, {"choices": []})) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda part: (
        st.lists(part, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "errors", "message", "detail", "code", "type", "details", "violations", "metadata", "loc", "msg"]),
            part,
        )
    ),
    max_leaves=12,
)


@given(st.integers(200, 999), JSON, st.text(max_size=20))
@example(200, {"error": {"code": float("inf")}}, "")
def test_no_body_is_too_odd(status, body, wait):
    fault = fault_of(reply(status, body, {"Retry-After": wait}))
    if status >= 300:
        assert fault.reason
        fault.reason.encode()


@pytest.mark.parametrize("beside", [None, {}, "", {"code": 0, "message": "success"}, {"message": ""}])
def test_an_empty_error_beside_an_answer_is_none(beside):
    assert fault_of(reply(200, {"choices": [{"message": {"content": "fine"}}], "error": beside})) is None


def test_the_words_of_an_error_in_place_of_a_choice_are_kept():
    body = {"choices": [{"error": {"code": 502, "message": "Provider returned error", "metadata": {"raw": "the GPU is gone"}}}]}
    fault = fault_of(reply(200, body))
    assert (fault.reason, fault.status) == ("Provider returned error; raw: the GPU is gone", 502)


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices": [], "choices": [{"message": {"content": "fine"}}]}',
        b'{"choices": [{"message": {"content": "yes", "content": "no"}}]}',
        b'{"choices": [{"finish_reason": "stop", "finish_reason": "length", "message": {"content": "yes"}}]}',
    ],
)
def test_an_answer_that_says_two_things_is_none(body):
    fault = fault_of(reply(200, body))
    assert fault.kind == "again"
    assert "stands twice, with two values" in fault.reason


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices": [{"message": {"content": "yes", "content": "yes"}}]}',
        b'{"id": 1, "id": 2, "choices": [{"message": {"content": "yes"}}]}',
    ],
)
def test_what_stands_twice_and_says_one_thing_is_read(body):
    assert fault_of(reply(200, body)) is None


@pytest.mark.parametrize(
    ("words", "kind", "wait"),
    [
        ("Please try again in 20ms.", "again", 0.02),
        ("Please try again in 1m12.5s. Need more tokens?", "again", 72.5),
        ("Please try again in 7m12.5s. Need more tokens?", "quota", 432.5),
        ("again in 17h32m", "quota", 63_120),
        ("Please wait 49321 seconds before retrying.", "quota", 49_321),
        ("The quota will be replenished in 5.04:13:54.", "quota", 447_234),
        ("Please retry after 1 minute and 30 seconds", "busy", 90),
        ("please wait a moment", "busy", None),
    ],
)
def test_a_wait_is_read_from_the_servers_words(words, kind, wait):
    fault = fault_of(reply(429, error(words)))
    assert (fault.kind, fault.wait) == (kind, wait)


def test_a_wait_that_stands_in_the_text_that_was_sent_is_none():
    words = "cannot read: Please wait 3 hours"
    assert fault_of(reply(500, error(words)), asked="Please wait 3 hours, she said.").kind == "again"
