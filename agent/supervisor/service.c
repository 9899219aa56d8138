#include "agent/supervisor/service.h"

#include <libgen.h>
#include <stdlib.h>

#include "agent/base/file.h"
#include "agent/base/memory.h"
#include "agent/supervisor/service_methods.h"

#define STOP_GRACE_MS 5000

struct bound_method {
    struct service *service;
    const struct service_method *method;
};

struct service {
    struct keeper *keeper;
    struct worker *actions, *quick;    /* borrowed */
    struct worker *images;             /* ours */
    struct rpc_server *local, *remote; /* unix socket, TCP */
    struct bound_method *bound;
    struct rpc_method *methods;
};

struct job {
    const struct bound_method *bound;
    struct rpc_call *call;
    const ProtobufCMessage *request;
};

static void
run_job(void *data)
{
    CLEANUP(freep) struct job *job = data;
    job->bound->method->function(job->bound->service->keeper, job->call, job->request);
}

static struct worker *
worker_of(const struct bound_method *bound)
{
    switch (bound->method->worker) {
    case SERVICE_ACTION:
        return bound->service->actions;
    case SERVICE_IMAGE:
        return bound->service->images;
    case SERVICE_QUICK:
    default:
        return bound->service->quick;
    }
}

/* On the pump thread: only hands over. */
static void
on_call(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    const struct bound_method *bound = data;
    if (bound->method->is_refused_when_busy && worker_pending(worker_of(bound)) > 0) {
        rpc_call_finish(
            call, NULL,
            error_new(ERROR_UNAVAILABLE, "mysqld is being started or stopped: try again"));
        return;
    }
    struct job *job = xcalloc(1, sizeof(*job));
    *job = (struct job){.bound = bound, .call = call, .request = request};
    worker_submit(worker_of(bound), run_job, job);
}

static size_t
bind_methods(struct service *service)
{
    size_t count;
    const struct service_method *methods = service_methods(&count);
    service->bound = xcalloc(count, sizeof(*service->bound));
    service->methods = xcalloc(count, sizeof(*service->methods));
    for (size_t i = 0; i < count; i++) {
        service->bound[i] = (struct bound_method){.service = service, .method = &methods[i]};
        service->methods[i] = (struct rpc_method){.path = methods[i].path,
                                                  .request = methods[i].request,
                                                  .response = methods[i].response,
                                                  .handler = on_call,
                                                  .data = &service->bound[i]};
    }
    return count;
}

static struct error *
start_local(struct service *service, struct rpc_pump *pump, size_t method_count)
{
    const char *socket = keeper_layout(service->keeper)->control_socket;
    CLEANUP(freep) char *folder = xstrdup(socket);
    TRY(file_make_directories(dirname(folder), 0755));
    CLEANUP(freep) char *address = xasprintf("unix:%s", socket);
    const char *const addresses[] = {address, NULL};
    struct rpc_server_options options = {
        .addresses = addresses, .methods = service->methods, .method_count = method_count};
    return rpc_server_start(pump, &options, &service->local);
}

static struct error *
start_remote(struct service *service, struct rpc_pump *pump, size_t method_count)
{
    const struct supervisor_options *given = keeper_options(service->keeper);
    if (given->grpc_port == 0)
        return NULL;
    const char *bind =
        str_is_empty(given->grpc_bind_address) ? "0.0.0.0" : given->grpc_bind_address;
    CLEANUP(freep) char *address = xasprintf("%s:%lld", bind, (long long)given->grpc_port);
    const char *const addresses[] = {address, NULL};
    struct rpc_server_options options = {
        .addresses = addresses, .methods = service->methods, .method_count = method_count};
    options.tls.certificate_file = given->grpc_cert;
    options.tls.key_file = given->grpc_key;
    options.tls.ca_file = given->grpc_ca;
    options.tls.crl_file = given->grpc_crl;
    options.tls.requires_client_certificate = !str_is_empty(given->grpc_ca);
    if (str_equal(given->grpc_auth_mode, "static"))
        options.auth.users_file = given->grpc_users_file;
    if (str_equal(given->grpc_auth_mode, "mtls"))
        options.allowed_subjects = given->grpc_allowed_subjects;
    struct error *error = rpc_server_start(pump, &options, &service->remote);
    return error_wrap(error, "--grpc-port");
}

struct error *
service_start(struct keeper *keeper, struct rpc_pump *pump, struct worker *actions,
              struct worker *quick, struct service **ret_service)
{
    struct service *service = xcalloc(1, sizeof(*service));
    *service = (struct service){.keeper = keeper, .actions = actions, .quick = quick};
    size_t count = bind_methods(service);
    struct error *error = worker_new("image", 1, &service->images);
    if (error == NULL)
        error = start_local(service, pump, count);
    if (error == NULL)
        error = start_remote(service, pump, count);
    if (error != NULL) {
        service_stop(service);
        return error;
    }
    *ret_service = service;
    return NULL;
}

void
service_stop(struct service *service)
{
    if (service == NULL)
        return;
    if (service->remote != NULL)
        rpc_server_stop(service->remote, STOP_GRACE_MS);
    if (service->local != NULL)
        rpc_server_stop(service->local, STOP_GRACE_MS);
    worker_free(service->images);
    free(service->bound);
    free(service->methods);
    free(service);
}
