"""Reads what is shipped for Kubernetes as Kubernetes and Helm would, without a cluster.

    manifests.py files FILE...      the documents of YAML files
    manifests.py chart FOLDER       the manifests that Helm makes of a chart; the values, as JSON, on standard input
    manifests.py plain FILE...      documents of YAML files that are not Kubernetes'

Prints all documents as one JSON array. The first two check each against the schemas of the oldest and the newest Kubernetes
meant, where unknown fields are refused; what is wrong goes to standard error, and the exit code is 1.
"""

import json
import sys

import kubernetes_validate
import yaml

VERSIONS = ["1.25", "1.37"]

# Kinds whose schemas are not Kubernetes' own.
OTHERS = {"Kustomization", "PodMonitor"}


def documents(text):
    return [document for document in yaml.safe_load_all(text) if document is not None]


def chart(folder, values):
    from helm_python import Chart

    with Chart.load(folder) as loaded:
        rendered = loaded.render(values=values, name="kong", namespace="kong")
    manifests = [rendered[path] for path in sorted(rendered) if path.endswith(".yaml")]
    return [document for text in manifests for document in documents(text)]


def check(document):
    if document["kind"] in OTHERS:
        return []
    problems = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except Exception as problem:  # Each of its kinds of errors is a problem of the document.
            problems.append(f"{document['kind']} {document['metadata']['name']}, Kubernetes {version}: {problem}")
    return problems


def main():
    mode, *paths = sys.argv[1:]
    try:
        if mode == "chart":
            found = chart(paths[0], json.load(sys.stdin))
        else:
            found = [document for path in paths for document in documents(open(path, encoding="utf-8").read())]
    except Exception as problem:
        sys.exit(str(problem))
    problems = [] if mode == "plain" else [problem for document in found for problem in check(document)]
    if problems:
        sys.exit("\n".join(problems))
    json.dump(found, sys.stdout)


main()
