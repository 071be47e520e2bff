// Made by generate.ts from the YAML files beside it. Do not edit.
// deno-fmt-ignore-file
import type { CustomResourceDefinition } from "./definition.ts";

export const CRDS: readonly CustomResourceDefinition[] = [
{
 "apiVersion": "apiextensions.k8s.io/v1",
 "kind": "CustomResourceDefinition",
 "metadata": {
  "name": "trafficsplits.split.smi-spec.io"
 },
 "spec": {
  "group": "split.smi-spec.io",
  "scope": "Namespaced",
  "names": {
   "kind": "TrafficSplit",
   "listKind": "TrafficSplitList",
   "plural": "trafficsplits",
   "singular": "trafficsplit",
   "shortNames": [
    "ts"
   ]
  },
  "conversion": {
   "strategy": "None"
  },
  "versions": [
   {
    "name": "v1alpha4",
    "served": true,
    "storage": true,
    "additionalPrinterColumns": [
     {
      "name": "Service",
      "type": "string",
      "description": "The root Service",
      "jsonPath": ".spec.service"
     }
    ],
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "spec"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "What is split, and among which Services",
        "required": [
         "service",
         "backends"
        ],
        "properties": {
         "service": {
          "type": "string",
          "description": "Name of the root Service, which clients call"
         },
         "matches": {
          "type": "array",
          "description": "Route groups; only requests that one of them matches are split",
          "items": {
           "type": "object",
           "required": [
            "kind",
            "name"
           ],
           "properties": {
            "apiGroup": {
             "type": "string",
             "description": "Group of the route group, specs.smi-spec.io"
            },
            "kind": {
             "type": "string",
             "description": "Kind of the route group",
             "enum": [
              "HTTPRouteGroup"
             ]
            },
            "name": {
             "type": "string",
             "description": "Name of a route group in the namespace of the split"
            }
           }
          }
         },
         "backends": {
          "type": "array",
          "description": "Services that share the requests",
          "items": {
           "type": "object",
           "required": [
            "service",
            "weight"
           ],
           "properties": {
            "service": {
             "type": "string",
             "description": "Name of a Service that takes a share"
            },
            "weight": {
             "type": "number",
             "description": "Share relative to the other backends, a whole number"
            }
           }
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha3",
    "served": true,
    "storage": false,
    "additionalPrinterColumns": [
     {
      "name": "Service",
      "type": "string",
      "description": "The root Service",
      "jsonPath": ".spec.service"
     }
    ],
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "spec"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "What is split, and among which Services",
        "required": [
         "service",
         "backends"
        ],
        "properties": {
         "service": {
          "type": "string",
          "description": "Name of the root Service, which clients call"
         },
         "matches": {
          "type": "array",
          "description": "Route groups; only requests that one of them matches are split",
          "items": {
           "type": "object",
           "required": [
            "kind",
            "name"
           ],
           "properties": {
            "apiGroup": {
             "type": "string",
             "description": "Group of the route group, specs.smi-spec.io"
            },
            "kind": {
             "type": "string",
             "description": "Kind of the route group",
             "enum": [
              "HTTPRouteGroup"
             ]
            },
            "name": {
             "type": "string",
             "description": "Name of a route group in the namespace of the split"
            }
           }
          }
         },
         "backends": {
          "type": "array",
          "description": "Services that share the requests",
          "items": {
           "type": "object",
           "required": [
            "service",
            "weight"
           ],
           "properties": {
            "service": {
             "type": "string",
             "description": "Name of a Service that takes a share"
            },
            "weight": {
             "type": "number",
             "description": "Share relative to the other backends, a whole number"
            }
           }
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha2",
    "served": true,
    "storage": false,
    "additionalPrinterColumns": [
     {
      "name": "Service",
      "type": "string",
      "description": "The root Service",
      "jsonPath": ".spec.service"
     }
    ],
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "spec"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "What is split, and among which Services",
        "required": [
         "service",
         "backends"
        ],
        "properties": {
         "service": {
          "type": "string",
          "description": "Name of the root Service, which clients call"
         },
         "backends": {
          "type": "array",
          "description": "Services that share the requests",
          "items": {
           "type": "object",
           "required": [
            "service",
            "weight"
           ],
           "properties": {
            "service": {
             "type": "string",
             "description": "Name of a Service that takes a share"
            },
            "weight": {
             "type": "number",
             "description": "Share relative to the other backends, a whole number"
            }
           }
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha1",
    "served": true,
    "storage": false,
    "additionalPrinterColumns": [
     {
      "name": "Service",
      "type": "string",
      "description": "The root Service",
      "jsonPath": ".spec.service"
     }
    ],
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "spec"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "What is split, and among which Services",
        "required": [
         "service",
         "backends"
        ],
        "properties": {
         "service": {
          "type": "string",
          "description": "Name of the root Service, which clients call"
         },
         "backends": {
          "type": "array",
          "description": "Services that share the requests",
          "items": {
           "type": "object",
           "required": [
            "service",
            "weight"
           ],
           "properties": {
            "service": {
             "type": "string",
             "description": "Name of a Service that takes a share"
            },
            "weight": {
             "description": "Share relative to the other backends, a quantity such as 500m or 1",
             "x-kubernetes-int-or-string": true,
             "anyOf": [
              {
               "type": "integer"
              },
              {
               "type": "string"
              }
             ],
             "pattern": "^[-+]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$"
            }
           }
          }
         }
        }
       }
      }
     }
    }
   }
  ]
 }
},
{
 "apiVersion": "apiextensions.k8s.io/v1",
 "kind": "CustomResourceDefinition",
 "metadata": {
  "name": "httproutegroups.specs.smi-spec.io"
 },
 "spec": {
  "group": "specs.smi-spec.io",
  "scope": "Namespaced",
  "names": {
   "kind": "HTTPRouteGroup",
   "listKind": "HTTPRouteGroupList",
   "plural": "httproutegroups",
   "singular": "httproutegroup",
   "shortNames": [
    "htr"
   ]
  },
  "conversion": {
   "strategy": "None"
  },
  "versions": [
   {
    "name": "v1alpha4",
    "served": true,
    "storage": true,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "anyOf": [
       {
        "required": [
         "spec"
        ]
       },
       {
        "required": [
         "matches"
        ]
       }
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "The matches of the group",
        "required": [
         "matches"
        ],
        "properties": {
         "matches": {
          "type": "array",
          "description": "Sets of requests; the group matches what any of them matches",
          "items": {
           "type": "object",
           "required": [
            "name"
           ],
           "properties": {
            "name": {
             "type": "string",
             "description": "Name of the match, unique in its group"
            },
            "pathRegex": {
             "type": "string",
             "description": "Regular expression for the path, anchored at its beginning"
            },
            "methods": {
             "type": "array",
             "description": "HTTP methods in upper case, or \"*\"; none means every method",
             "items": {
              "type": "string",
              "enum": [
               "*",
               "GET",
               "HEAD",
               "PUT",
               "POST",
               "DELETE",
               "CONNECT",
               "OPTIONS",
               "TRACE",
               "PATCH"
              ]
             }
            },
            "headers": {
             "description": "Header names and regular expressions, as a map or as a list of maps; all must match",
             "x-kubernetes-preserve-unknown-fields": true
            }
           }
          }
         }
        }
       },
       "matches": {
        "type": "array",
        "description": "Where v1alpha1 and v1alpha2 have the matches; spec.matches counts if both are given",
        "items": {
         "type": "object",
         "required": [
          "name"
         ],
         "properties": {
          "name": {
           "type": "string",
           "description": "Name of the match, unique in its group"
          },
          "pathRegex": {
           "type": "string",
           "description": "Regular expression for the path, anchored at its beginning"
          },
          "methods": {
           "type": "array",
           "description": "HTTP methods in upper case, or \"*\"; none means every method",
           "items": {
            "type": "string",
            "enum": [
             "*",
             "GET",
             "HEAD",
             "PUT",
             "POST",
             "DELETE",
             "CONNECT",
             "OPTIONS",
             "TRACE",
             "PATCH"
            ]
           }
          },
          "headers": {
           "description": "Header names and regular expressions, as a map or as a list of maps; all must match",
           "x-kubernetes-preserve-unknown-fields": true
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha3",
    "served": true,
    "storage": false,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "anyOf": [
       {
        "required": [
         "spec"
        ]
       },
       {
        "required": [
         "matches"
        ]
       }
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "The matches of the group",
        "required": [
         "matches"
        ],
        "properties": {
         "matches": {
          "type": "array",
          "description": "Sets of requests; the group matches what any of them matches",
          "items": {
           "type": "object",
           "required": [
            "name"
           ],
           "properties": {
            "name": {
             "type": "string",
             "description": "Name of the match, unique in its group"
            },
            "pathRegex": {
             "type": "string",
             "description": "Regular expression for the path, anchored at its beginning"
            },
            "methods": {
             "type": "array",
             "description": "HTTP methods in upper case, or \"*\"; none means every method",
             "items": {
              "type": "string",
              "enum": [
               "*",
               "GET",
               "HEAD",
               "PUT",
               "POST",
               "DELETE",
               "CONNECT",
               "OPTIONS",
               "TRACE",
               "PATCH"
              ]
             }
            },
            "headers": {
             "description": "Header names and regular expressions, as a map or as a list of maps; all must match",
             "x-kubernetes-preserve-unknown-fields": true
            }
           }
          }
         }
        }
       },
       "matches": {
        "type": "array",
        "description": "Where v1alpha1 and v1alpha2 have the matches; spec.matches counts if both are given",
        "items": {
         "type": "object",
         "required": [
          "name"
         ],
         "properties": {
          "name": {
           "type": "string",
           "description": "Name of the match, unique in its group"
          },
          "pathRegex": {
           "type": "string",
           "description": "Regular expression for the path, anchored at its beginning"
          },
          "methods": {
           "type": "array",
           "description": "HTTP methods in upper case, or \"*\"; none means every method",
           "items": {
            "type": "string",
            "enum": [
             "*",
             "GET",
             "HEAD",
             "PUT",
             "POST",
             "DELETE",
             "CONNECT",
             "OPTIONS",
             "TRACE",
             "PATCH"
            ]
           }
          },
          "headers": {
           "description": "Header names and regular expressions, as a map or as a list of maps; all must match",
           "x-kubernetes-preserve-unknown-fields": true
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha2",
    "served": true,
    "storage": false,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "matches"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "matches": {
        "type": "array",
        "description": "Sets of requests; the group matches what any of them matches",
        "items": {
         "type": "object",
         "required": [
          "name"
         ],
         "properties": {
          "name": {
           "type": "string",
           "description": "Name of the match, unique in its group"
          },
          "pathRegex": {
           "type": "string",
           "description": "Regular expression for the path, anchored at its beginning"
          },
          "methods": {
           "type": "array",
           "description": "HTTP methods in upper case, or \"*\"; none means every method",
           "items": {
            "type": "string",
            "enum": [
             "*",
             "GET",
             "HEAD",
             "PUT",
             "POST",
             "DELETE",
             "CONNECT",
             "OPTIONS",
             "TRACE",
             "PATCH"
            ]
           }
          },
          "headers": {
           "description": "Header names and regular expressions, as a map or as a list of maps; all must match",
           "x-kubernetes-preserve-unknown-fields": true
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha1",
    "served": true,
    "storage": false,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "matches"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "matches": {
        "type": "array",
        "description": "Sets of requests; the group matches what any of them matches",
        "items": {
         "type": "object",
         "required": [
          "name"
         ],
         "properties": {
          "name": {
           "type": "string",
           "description": "Name of the match, unique in its group"
          },
          "pathRegex": {
           "type": "string",
           "description": "Regular expression for the path, anchored at its beginning"
          },
          "methods": {
           "type": "array",
           "description": "HTTP methods in upper case, or \"*\"; none means every method",
           "items": {
            "type": "string",
            "enum": [
             "*",
             "GET",
             "HEAD",
             "PUT",
             "POST",
             "DELETE",
             "CONNECT",
             "OPTIONS",
             "TRACE",
             "PATCH"
            ]
           }
          }
         }
        }
       }
      }
     }
    }
   }
  ]
 }
},
{
 "apiVersion": "apiextensions.k8s.io/v1",
 "kind": "CustomResourceDefinition",
 "metadata": {
  "name": "tcproutes.specs.smi-spec.io"
 },
 "spec": {
  "group": "specs.smi-spec.io",
  "scope": "Namespaced",
  "names": {
   "kind": "TCPRoute",
   "listKind": "TCPRouteList",
   "plural": "tcproutes",
   "singular": "tcproute",
   "shortNames": [
    "tr"
   ]
  },
  "conversion": {
   "strategy": "None"
  },
  "versions": [
   {
    "name": "v1alpha4",
    "served": true,
    "storage": true,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "spec"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "Which TCP traffic this is",
        "required": [
         "matches"
        ],
        "properties": {
         "matches": {
          "type": "object",
          "description": "What the traffic has in common; one object, not a list",
          "required": [
           "ports"
          ],
          "properties": {
           "name": {
            "type": "string",
            "description": "Name of the match"
           },
           "ports": {
            "type": "array",
            "description": "Destination ports; none means every port",
            "items": {
             "type": "integer",
             "minimum": 1,
             "maximum": 65535
            }
           }
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha3",
    "served": true,
    "storage": false,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "Empty in this version"
       }
      }
     }
    }
   },
   {
    "name": "v1alpha2",
    "served": true,
    "storage": false,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       }
      }
     }
    }
   },
   {
    "name": "v1alpha1",
    "served": true,
    "storage": false,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       }
      }
     }
    }
   }
  ]
 }
},
{
 "apiVersion": "apiextensions.k8s.io/v1",
 "kind": "CustomResourceDefinition",
 "metadata": {
  "name": "traffictargets.access.smi-spec.io"
 },
 "spec": {
  "group": "access.smi-spec.io",
  "scope": "Namespaced",
  "names": {
   "kind": "TrafficTarget",
   "listKind": "TrafficTargetList",
   "plural": "traffictargets",
   "singular": "traffictarget",
   "shortNames": [
    "tt"
   ]
  },
  "conversion": {
   "strategy": "None"
  },
  "versions": [
   {
    "name": "v1alpha3",
    "served": true,
    "storage": true,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "anyOf": [
       {
        "required": [
         "spec"
        ]
       },
       {
        "required": [
         "destination"
        ]
       }
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "Who may call whom, and how",
        "required": [
         "destination",
         "rules",
         "sources"
        ],
        "properties": {
         "destination": {
          "type": "object",
          "description": "Who may be called",
          "required": [
           "kind",
           "name"
          ],
          "properties": {
           "kind": {
            "type": "string",
            "description": "Kind of the identity, ServiceAccount"
           },
           "name": {
            "type": "string",
            "description": "Name of the identity"
           },
           "namespace": {
            "type": "string",
            "description": "Namespace of the identity; the target's own if left out"
           },
           "port": {
            "description": "The one port that is allowed",
            "x-kubernetes-int-or-string": true,
            "anyOf": [
             {
              "type": "integer"
             },
             {
              "type": "string"
             }
            ]
           }
          }
         },
         "rules": {
          "type": "array",
          "minItems": 1,
          "description": "Routes that are allowed; any of them",
          "items": {
           "type": "object",
           "required": [
            "kind",
            "name"
           ],
           "properties": {
            "kind": {
             "type": "string",
             "description": "Kind of the route",
             "enum": [
              "HTTPRouteGroup",
              "TCPRoute",
              "UDPRoute"
             ]
            },
            "name": {
             "type": "string",
             "description": "Name of a route in the namespace of the target"
            },
            "matches": {
             "type": "array",
             "description": "Names of matches of the route group; none means all of them",
             "items": {
              "type": "string"
             }
            }
           }
          }
         },
         "sources": {
          "type": "array",
          "minItems": 1,
          "description": "Who may call",
          "items": {
           "type": "object",
           "description": "Who may call",
           "required": [
            "kind",
            "name"
           ],
           "properties": {
            "kind": {
             "type": "string",
             "description": "Kind of the identity, ServiceAccount"
            },
            "name": {
             "type": "string",
             "description": "Name of the identity"
            },
            "namespace": {
             "type": "string",
             "description": "Namespace of the identity; the target's own if left out"
            }
           }
          }
         }
        }
       },
       "destination": {
        "type": "object",
        "description": "Who may be called",
        "required": [
         "kind",
         "name"
        ],
        "properties": {
         "kind": {
          "type": "string",
          "description": "Kind of the identity, ServiceAccount"
         },
         "name": {
          "type": "string",
          "description": "Name of the identity"
         },
         "namespace": {
          "type": "string",
          "description": "Namespace of the identity; the target's own if left out"
         },
         "port": {
          "description": "The one port that is allowed",
          "x-kubernetes-int-or-string": true,
          "anyOf": [
           {
            "type": "integer"
           },
           {
            "type": "string"
           }
          ]
         }
        }
       },
       "specs": {
        "type": "array",
        "description": "Routes that are allowed; any of them",
        "items": {
         "type": "object",
         "required": [
          "kind",
          "name"
         ],
         "properties": {
          "kind": {
           "type": "string",
           "description": "Kind of the route",
           "enum": [
            "HTTPRouteGroup",
            "TCPRoute",
            "UDPRoute"
           ]
          },
          "name": {
           "type": "string",
           "description": "Name of a route in the namespace of the target"
          },
          "matches": {
           "type": "array",
           "description": "Names of matches of the route group; none means all of them",
           "items": {
            "type": "string"
           }
          }
         }
        }
       },
       "sources": {
        "type": "array",
        "description": "Who may call",
        "items": {
         "type": "object",
         "description": "Who may call",
         "required": [
          "kind",
          "name"
         ],
         "properties": {
          "kind": {
           "type": "string",
           "description": "Kind of the identity, ServiceAccount"
          },
          "name": {
           "type": "string",
           "description": "Name of the identity"
          },
          "namespace": {
           "type": "string",
           "description": "Namespace of the identity; the target's own if left out"
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha2",
    "served": true,
    "storage": false,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "anyOf": [
       {
        "required": [
         "spec"
        ]
       },
       {
        "required": [
         "destination"
        ]
       }
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "Who may call whom, and how",
        "required": [
         "destination"
        ],
        "properties": {
         "destination": {
          "type": "object",
          "description": "Who may be called",
          "required": [
           "kind",
           "name"
          ],
          "properties": {
           "kind": {
            "type": "string",
            "description": "Kind of the identity, ServiceAccount"
           },
           "name": {
            "type": "string",
            "description": "Name of the identity"
           },
           "namespace": {
            "type": "string",
            "description": "Namespace of the identity; the target's own if left out"
           },
           "port": {
            "description": "The one port that is allowed",
            "x-kubernetes-int-or-string": true,
            "anyOf": [
             {
              "type": "integer"
             },
             {
              "type": "string"
             }
            ]
           }
          }
         },
         "rules": {
          "type": "array",
          "description": "Routes that are allowed; any of them",
          "items": {
           "type": "object",
           "required": [
            "kind",
            "name"
           ],
           "properties": {
            "kind": {
             "type": "string",
             "description": "Kind of the route",
             "enum": [
              "HTTPRouteGroup",
              "TCPRoute"
             ]
            },
            "name": {
             "type": "string",
             "description": "Name of a route in the namespace of the target"
            },
            "matches": {
             "type": "array",
             "description": "Names of matches of the route group; none means all of them",
             "items": {
              "type": "string"
             }
            }
           }
          }
         },
         "sources": {
          "type": "array",
          "description": "Who may call",
          "items": {
           "type": "object",
           "description": "Who may call",
           "required": [
            "kind",
            "name"
           ],
           "properties": {
            "kind": {
             "type": "string",
             "description": "Kind of the identity, ServiceAccount"
            },
            "name": {
             "type": "string",
             "description": "Name of the identity"
            },
            "namespace": {
             "type": "string",
             "description": "Namespace of the identity; the target's own if left out"
            }
           }
          }
         }
        }
       },
       "destination": {
        "type": "object",
        "description": "Who may be called",
        "required": [
         "kind",
         "name"
        ],
        "properties": {
         "kind": {
          "type": "string",
          "description": "Kind of the identity, ServiceAccount"
         },
         "name": {
          "type": "string",
          "description": "Name of the identity"
         },
         "namespace": {
          "type": "string",
          "description": "Namespace of the identity; the target's own if left out"
         },
         "port": {
          "description": "The one port that is allowed",
          "x-kubernetes-int-or-string": true,
          "anyOf": [
           {
            "type": "integer"
           },
           {
            "type": "string"
           }
          ]
         }
        }
       },
       "specs": {
        "type": "array",
        "description": "Routes that are allowed; any of them",
        "items": {
         "type": "object",
         "required": [
          "kind",
          "name"
         ],
         "properties": {
          "kind": {
           "type": "string",
           "description": "Kind of the route",
           "enum": [
            "HTTPRouteGroup",
            "TCPRoute"
           ]
          },
          "name": {
           "type": "string",
           "description": "Name of a route in the namespace of the target"
          },
          "matches": {
           "type": "array",
           "description": "Names of matches of the route group; none means all of them",
           "items": {
            "type": "string"
           }
          }
         }
        }
       },
       "sources": {
        "type": "array",
        "description": "Who may call",
        "items": {
         "type": "object",
         "description": "Who may call",
         "required": [
          "kind",
          "name"
         ],
         "properties": {
          "kind": {
           "type": "string",
           "description": "Kind of the identity, ServiceAccount"
          },
          "name": {
           "type": "string",
           "description": "Name of the identity"
          },
          "namespace": {
           "type": "string",
           "description": "Namespace of the identity; the target's own if left out"
          }
         }
        }
       }
      }
     }
    }
   },
   {
    "name": "v1alpha1",
    "served": true,
    "storage": false,
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "destination"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "destination": {
        "type": "object",
        "description": "Who may be called",
        "required": [
         "kind",
         "name"
        ],
        "properties": {
         "kind": {
          "type": "string",
          "description": "Kind of the identity, ServiceAccount"
         },
         "name": {
          "type": "string",
          "description": "Name of the identity"
         },
         "namespace": {
          "type": "string",
          "description": "Namespace of the identity; the target's own if left out"
         },
         "port": {
          "description": "The one port that is allowed",
          "x-kubernetes-int-or-string": true,
          "anyOf": [
           {
            "type": "integer"
           },
           {
            "type": "string"
           }
          ]
         }
        }
       },
       "specs": {
        "type": "array",
        "description": "Routes that are allowed; any of them",
        "items": {
         "type": "object",
         "required": [
          "kind",
          "name"
         ],
         "properties": {
          "kind": {
           "type": "string",
           "description": "Kind of the route",
           "enum": [
            "HTTPRouteGroup",
            "TCPRoute"
           ]
          },
          "name": {
           "type": "string",
           "description": "Name of a route in the namespace of the target"
          },
          "matches": {
           "type": "array",
           "description": "Names of matches of the route group; none means all of them",
           "items": {
            "type": "string"
           }
          }
         }
        }
       },
       "sources": {
        "type": "array",
        "description": "Who may call",
        "items": {
         "type": "object",
         "description": "Who may call",
         "required": [
          "kind",
          "name"
         ],
         "properties": {
          "kind": {
           "type": "string",
           "description": "Kind of the identity, ServiceAccount"
          },
          "name": {
           "type": "string",
           "description": "Name of the identity"
          },
          "namespace": {
           "type": "string",
           "description": "Namespace of the identity; the target's own if left out"
          }
         }
        }
       }
      }
     }
    }
   }
  ]
 }
},
{
 "apiVersion": "apiextensions.k8s.io/v1",
 "kind": "CustomResourceDefinition",
 "metadata": {
  "name": "trafficpolicies.weft.dev"
 },
 "spec": {
  "group": "weft.dev",
  "scope": "Namespaced",
  "names": {
   "kind": "TrafficPolicy",
   "listKind": "TrafficPolicyList",
   "plural": "trafficpolicies",
   "singular": "trafficpolicy",
   "shortNames": [
    "tp"
   ]
  },
  "conversion": {
   "strategy": "None"
  },
  "versions": [
   {
    "name": "v1alpha1",
    "served": true,
    "storage": true,
    "additionalPrinterColumns": [
     {
      "name": "Target",
      "type": "string",
      "description": "What the policy is attached to first",
      "jsonPath": ".spec.targetRefs[0].name"
     }
    ],
    "schema": {
     "openAPIV3Schema": {
      "type": "object",
      "required": [
       "spec"
      ],
      "properties": {
       "apiVersion": {
        "type": "string"
       },
       "kind": {
        "type": "string"
       },
       "metadata": {
        "type": "object"
       },
       "spec": {
        "type": "object",
        "description": "What the policy is attached to, and what it asks for",
        "required": [
         "targetRefs"
        ],
        "properties": {
         "targetRefs": {
          "type": "array",
          "minItems": 1,
          "description": "Services and matches of route groups, in the namespace of the policy",
          "items": {
           "type": "object",
           "required": [
            "kind",
            "name"
           ],
           "properties": {
            "kind": {
             "type": "string",
             "description": "Service or HTTPRouteGroup",
             "enum": [
              "Service",
              "HTTPRouteGroup"
             ]
            },
            "name": {
             "type": "string",
             "description": "Name of the Service or route group"
            },
            "match": {
             "type": "string",
             "description": "Name of a match of the route group; all of them if left out"
            }
           }
          }
         },
         "loadBalancing": {
          "type": "object",
          "description": "Which endpoint takes a request; of a Service only",
          "required": [
           "algorithm"
          ],
          "properties": {
           "algorithm": {
            "type": "string",
            "description": "How an endpoint is chosen; PeakEwma without this section",
            "enum": [
             "RoundRobin",
             "LeastRequest",
             "PeakEwma",
             "RingHash"
            ]
           },
           "hashKey": {
            "type": "object",
            "description": "What RingHash hashes, one of the three",
            "properties": {
             "header": {
              "type": "string",
              "description": "Name of a header",
              "pattern": "^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,253}$"
             },
             "cookie": {
              "type": "string",
              "description": "Name of a cookie",
              "pattern": "^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,253}$"
             },
             "sourceIp": {
              "type": "boolean",
              "description": "The client's address"
             }
            }
           },
           "maxLoadPercent": {
            "type": "integer",
            "description": "With RingHash the most that one endpoint has under way, of the average, such as 125; beyond it requests go to the next on the ring. Any number if left out",
            "minimum": 101,
            "maximum": 100000
           }
          }
         },
         "outlierDetection": {
          "type": "object",
          "description": "When an endpoint that fails gets no requests for a while; of a Service only",
          "properties": {
           "consecutiveFailures": {
            "type": "integer",
            "description": "Failures in a row that eject an endpoint, 5 if left out",
            "minimum": 1,
            "maximum": 10000
           },
           "ejectionTime": {
            "type": "string",
            "description": "How long the first ejection lasts, \"30s\" if left out; the next in a row is longer",
            "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"
           },
           "maxEjectedPercent": {
            "type": "number",
            "description": "The largest share of endpoints that are ejected at once, 50 if left out",
            "minimum": 0,
            "maximum": 100
           },
           "panicThresholdPercent": {
            "type": "number",
            "description": "With a smaller share of endpoints left, all are used; 50 if left out, 0 for never",
            "minimum": 0,
            "maximum": 100
           }
          }
         },
         "slowStart": {
          "type": "object",
          "description": "How a new endpoint is given its share step by step; of a Service only",
          "required": [
           "window"
          ],
          "properties": {
           "window": {
            "type": "string",
            "description": "Time until an endpoint has its whole share, such as \"30s\"",
            "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"
           }
          }
         },
         "connectionLimits": {
          "type": "object",
          "description": "What one proxy has under way with all endpoints together; of a Service only",
          "properties": {
           "maxConnections": {
            "type": "integer",
            "description": "Open connections",
            "minimum": 1,
            "maximum": 1000000
           },
           "maxPending": {
            "type": "integer",
            "description": "Requests that wait for one of these connections, 1024 if left out",
            "minimum": 0,
            "maximum": 1000000
           },
           "maxRequests": {
            "type": "integer",
            "description": "Requests under way",
            "minimum": 1,
            "maximum": 1000000
           }
          }
         },
         "retry": {
          "type": "object",
          "description": "When a request is sent again",
          "properties": {
           "attempts": {
            "type": "integer",
            "description": "How many times a request is sent again at most, 2 if left out",
            "minimum": 1,
            "maximum": 10
           },
           "retryOn": {
            "type": "array",
            "minItems": 1,
            "description": "5xx, gateway-error (502, 503, 504), reset, connect-failure, timeout or a status; gateway-error, reset and connect-failure if left out",
            "items": {
             "x-kubernetes-int-or-string": true,
             "anyOf": [
              {
               "type": "integer"
              },
              {
               "type": "string"
              }
             ]
            }
           },
           "methods": {
            "type": "array",
            "minItems": 1,
            "description": "Methods that may be sent twice; GET, HEAD, PUT, DELETE, OPTIONS and TRACE if left out",
            "items": {
             "type": "string",
             "enum": [
              "GET",
              "HEAD",
              "PUT",
              "POST",
              "DELETE",
              "OPTIONS",
              "TRACE",
              "PATCH"
             ]
            }
           },
           "perTryTimeout": {
            "type": "string",
            "description": "Time for the head of an answer, for each try; \"0s\" for any",
            "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"
           },
           "budgetPercent": {
            "type": "number",
            "description": "Retries to requests over time, 20 if left out",
            "minimum": 0,
            "maximum": 100
           },
           "backoff": {
            "type": "string",
            "description": "The longest wait before the first retry, \"25ms\" if left out; doubled for each further one",
            "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"
           }
          }
         },
         "timeouts": {
          "type": "object",
          "description": "How long requests may take",
          "properties": {
           "request": {
            "type": "string",
            "description": "Time for a request and its whole answer, retries included; in place of the proxy's own, \"0s\" for any",
            "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"
           },
           "idle": {
            "type": "string",
            "description": "Time without a byte in either direction; in place of the proxy's own, \"0s\" for any",
            "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"
           }
          }
         },
         "rateLimit": {
          "type": "object",
          "description": "How many requests or connections one proxy lets through",
          "properties": {
           "http": {
            "type": "object",
            "description": "Requests",
            "required": [
             "requests"
            ],
            "properties": {
             "requests": {
              "type": "integer",
              "description": "Requests in each period",
              "minimum": 1,
              "maximum": 1000000000
             },
             "per": {
              "type": "string",
              "description": "The period, \"1s\" if left out",
              "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"
             },
             "burst": {
              "type": "integer",
              "description": "Requests at once, as many as in a period if left out",
              "minimum": 1,
              "maximum": 1000000000
             }
            }
           },
           "tcp": {
            "type": "object",
            "description": "Connections, on ports that do not speak HTTP",
            "required": [
             "connections"
            ],
            "properties": {
             "connections": {
              "type": "integer",
              "description": "Connections in each period",
              "minimum": 1,
              "maximum": 1000000000
             },
             "per": {
              "type": "string",
              "description": "The period, \"1s\" if left out",
              "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"
             },
             "burst": {
              "type": "integer",
              "description": "Connections at once, as many as in a period if left out",
              "minimum": 1,
              "maximum": 1000000000
             }
            }
           },
           "status": {
            "type": "integer",
            "description": "Status of the answer to a request over the limit, 429 if left out",
            "minimum": 400,
            "maximum": 599
           },
           "headers": {
            "type": "array",
            "description": "Headers of that answer",
            "items": {
             "type": "object",
             "required": [
              "name",
              "value"
             ],
             "properties": {
              "name": {
               "type": "string",
               "description": "Name of a header",
               "pattern": "^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,253}$"
              },
              "value": {
               "type": "string",
               "description": "Value of a header",
               "pattern": "^([!-~]([ -~]{0,1022}[!-~])?)?$"
              }
             }
            }
           }
          }
         },
         "headers": {
          "type": "object",
          "description": "Headers that are set, added or removed",
          "properties": {
           "request": {
            "type": "object",
            "description": "On the way to the endpoint",
            "properties": {
             "set": {
              "type": "array",
              "description": "Headers that stand in place of those of their name",
              "items": {
               "type": "object",
               "required": [
                "name",
                "value"
               ],
               "properties": {
                "name": {
                 "type": "string",
                 "description": "Name of a header",
                 "pattern": "^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,253}$"
                },
                "value": {
                 "type": "string",
                 "description": "Value of a header",
                 "pattern": "^([!-~]([ -~]{0,1022}[!-~])?)?$"
                }
               }
              }
             },
             "add": {
              "type": "array",
              "description": "Headers that stand beside those of their name",
              "items": {
               "type": "object",
               "required": [
                "name",
                "value"
               ],
               "properties": {
                "name": {
                 "type": "string",
                 "description": "Name of a header",
                 "pattern": "^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,253}$"
                },
                "value": {
                 "type": "string",
                 "description": "Value of a header",
                 "pattern": "^([!-~]([ -~]{0,1022}[!-~])?)?$"
                }
               }
              }
             },
             "remove": {
              "type": "array",
              "description": "Names of headers",
              "items": {
               "type": "string",
               "pattern": "^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,253}$"
              }
             }
            }
           },
           "response": {
            "type": "object",
            "description": "On the way to the client",
            "properties": {
             "set": {
              "type": "array",
              "description": "Headers that stand in place of those of their name",
              "items": {
               "type": "object",
               "required": [
                "name",
                "value"
               ],
               "properties": {
                "name": {
                 "type": "string",
                 "description": "Name of a header",
                 "pattern": "^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,253}$"
                },
                "value": {
                 "type": "string",
                 "description": "Value of a header",
                 "pattern": "^([!-~]([ -~]{0,1022}[!-~])?)?$"
                }
               }
              }
             },
             "add": {
              "type": "array",
              "description": "Headers that stand beside those of their name",
              "items": {
               "type": "object",
               "required": [
                "name",
                "value"
               ],
               "properties": {
                "name": {
                 "type": "string",
                 "description": "Name of a header",
                 "pattern": "^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,253}$"
                },
                "value": {
                 "type": "string",
                 "description": "Value of a header",
                 "pattern": "^([!-~]([ -~]{0,1022}[!-~])?)?$"
                }
               }
              }
             },
             "remove": {
              "type": "array",
              "description": "Names of headers",
              "items": {
               "type": "string",
               "pattern": "^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,253}$"
              }
             }
            }
           }
          }
         },
         "fault": {
          "type": "object",
          "description": "Delays and failures put in on purpose",
          "properties": {
           "delay": {
            "type": "object",
            "description": "Requests that are held back",
            "required": [
             "duration"
            ],
            "properties": {
             "percent": {
              "type": "number",
              "description": "Share of the requests, 100 if left out",
              "minimum": 0,
              "maximum": 100
             },
             "duration": {
              "type": "string",
              "description": "How long they are held back",
              "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"
             }
            }
           },
           "abort": {
            "type": "object",
            "description": "Requests that are answered in place of an endpoint",
            "required": [
             "status"
            ],
            "properties": {
             "percent": {
              "type": "number",
              "description": "Share of the requests, 100 if left out",
              "minimum": 0,
              "maximum": 100
             },
             "status": {
              "type": "integer",
              "description": "Status of the answer",
              "minimum": 200,
              "maximum": 599
             }
            }
           }
          }
         },
         "mirror": {
          "type": "object",
          "description": "A Service that is sent copies of requests, with up to 64 KiB of body; what it answers is dropped",
          "required": [
           "service"
          ],
          "properties": {
           "service": {
            "type": "string",
            "description": "Name of a Service in the namespace of the policy"
           },
           "percent": {
            "type": "number",
            "description": "Share of the requests, 100 if left out",
            "minimum": 0,
            "maximum": 100
           }
          }
         },
         "sessionAffinity": {
          "type": "object",
          "description": "Keeps a caller on one backend of a split, as far as the weights allow; cookie or header",
          "properties": {
           "cookie": {
            "type": "string",
            "description": "Name of a cookie, which callers without it are given",
            "pattern": "^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,253}$"
           },
           "header": {
            "type": "string",
            "description": "Name of a header that tells callers apart",
            "pattern": "^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,253}$"
           },
           "ttl": {
            "type": "string",
            "description": "How long a caller keeps the cookie; until its session ends if left out",
            "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"
           }
          }
         }
        }
       }
      }
     }
    }
   }
  ]
 }
},
];
